from .ours import Client as Ours


class Client(Ours):
    profile = "plain"
