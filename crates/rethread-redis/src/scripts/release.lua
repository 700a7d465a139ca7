#!lua flags=allow-oom
-- Frees a partition for others at once.
-- Guarantees: no effect when the token is not the current one; afterwards the token is refused.
-- KEYS   1 lease
-- ARGV   1 token
-- Return 1, or 0 when the token is not the current one
if redis.call('HGET', KEYS[1], 't') ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], 'o', 't', 'x')
return 1
