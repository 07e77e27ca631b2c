from functools import cached_property

from polylambda import current_context


class Service:
    @cached_property
    def greeting(self):  # unsafe: LMI105
        return f"Hello {current_context().identity.cognito_identity_id}"
