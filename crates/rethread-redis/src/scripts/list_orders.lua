#!lua flags=no-writes
-- Lists a page of the orders of a queue, with the workers that have them.
-- Guarantees: one state of the queue, not a mix of two.
-- KEYS   1 queue (STREAM with group w)
-- ARGV   1 first id, as a bound of XRANGE, 2 how many at most
-- Return {time of the server in ms, entries, {{id, worker, ...}...} of those that are assigned}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])
local assigned = {}
if #entries > 0 then
  local pending = redis.pcall('XPENDING', KEYS[1], 'w', entries[1][1], entries[#entries][1], ARGV[2])
  if not pending.err then
    assigned = pending
  end
end
return {now, entries, assigned}
