"""Handing over: one index takes over what another one holds, while that is searched and written to.

Everything follows the source's sequence numbers, which number the changes of a shard. What was changed since a number
is copied (all of it, at first); what was changed meanwhile is the next, shorter round; the last one comes while writes
are refused. A copy carries its sequence number as its version, so that an older one never replaces a newer, whatever
was killed and repeated. How far the copying came is in the target's ``_meta.lsr``.
"""
