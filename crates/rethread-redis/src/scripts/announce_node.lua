#!lua flags=allow-oom
-- Says that a coordinator lives, and lists those that do.
-- Guarantees: judged by the clock of the server alone; who does not live any more is forgotten.
-- KEYS   1 coordinators (ZSET: node by ms until which it lives)
-- ARGV   1 node, 2 for how long it lives in ms
-- Return nodes
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
return redis.call('ZRANGE', KEYS[1], 0, -1)
