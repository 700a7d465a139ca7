#!lua flags=allow-oom
-- Notes that a worker lives, by the clock of the server.
-- Guarantees: a heartbeat never moves back because two clients' clocks differ.
-- KEYS   1 heartbeats (ZSET: worker by ms)
-- ARGV   1 worker
-- Return 1
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
return 1
