"""The runtime: what polls, calls the handler and answers, from the first line to the last.

`runtime` has the public class and its arc from start to exit; `worker` and `async_worker` are the loops that serve
invocations one after the other, by the rules of `verdict`. How the bytes travel is `rapi`'s business, what a handler is
`handlers`'.
"""
