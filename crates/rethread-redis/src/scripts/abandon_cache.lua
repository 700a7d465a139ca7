#!lua flags=allow-oom
-- Gives up the duty to make a value of the cache.
-- Guarantees: nobody gives up what another has.
-- KEYS   1 holder (STRING)
-- ARGV   1 holder
-- Return 1 given up, or 0 it was not the holder's
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
