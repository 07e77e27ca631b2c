"""The agent: the program that looks after one instance. It holds the Runtime APIs and the processes of its environments.

What plane and agent say to each other is in `protocol`; who decides what runs where, and the plane's end of the
conversation, are not in here.
"""
