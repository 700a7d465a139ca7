#!lua flags=allow-oom
-- Extends the lease of a partition.
-- Guarantees: only the current holder can; a lease that ran out and was not taken stays ours.
-- KEYS   1 lease
-- ARGV   1 token, 2 time to live in ms
-- Return 1, or 0 when the token is not the current one
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'x', string.format('%.0f', now + ARGV[2]))
return 1
