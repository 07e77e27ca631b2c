"""To know that a handler may run concurrently, before production finds out.

`catalogue` says what the rules are, `facts` what is known of code that others wrote, `static` follows a handler through its
project's source, `dynamic` runs it with interleaving driven on purpose. All of them report `Finding`s, which `output` prints.
"""
