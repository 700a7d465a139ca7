#!lua flags=allow-oom
-- Removes the values of one group of the cache.
-- Guarantees: no value that was stored before is found afterwards. It takes the same time
-- however many there are: values that expire are of an old generation from now on, and the
-- others are one key, which is freed in the background.
-- KEYS   1 generation of the group (STRING), 2 its values that do not expire (HASH by entry)
-- ARGV   none
-- Return 1, or 0 nothing was ever stored in the group
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('INCR', KEYS[1])
redis.call('UNLINK', KEYS[2])
return 1
