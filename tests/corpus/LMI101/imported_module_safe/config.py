import dataclasses


@dataclasses.dataclass(frozen=True)
class Settings:
    tenant: str
    bucket: str


DEFAULT = Settings("nobody", "orders")
