"""A stand-in for the MB broker, which is a Node server and cannot be installed from a package registry.

It is written from notes of what the real one does on the wire, shares no code with the client, and tells tests what it
saw. Where the real one waits for half a minute its times can be made shorter.
"""
