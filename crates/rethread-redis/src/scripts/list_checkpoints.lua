#!lua flags=no-writes
-- Reads checkpoints of a thread, newest first.
-- Guarantees: one state of the thread, not a mix of two.
-- KEYS   1 thread (LIST, see commit.lua), 2 ids (ZSET, sorted as bytes), 3 records (HASH)
-- ARGV   1 id before which to start, or '', 2 how many at most
-- Return packed checkpoints, all of them, if they are; else records, nil where one is missing
local packed = redis.call('LINDEX', KEYS[1], 3)
if packed ~= '+' then
  return packed or ''
end
local from = '+'
if ARGV[1] ~= '' then
  from = '(' .. ARGV[1]
end
local ids = redis.call('ZRANGE', KEYS[2], from, '-', 'BYLEX', 'REV', 'LIMIT', 0, ARGV[2])
local records = {}
for i = 1, #ids do
  records[i] = redis.call('HGET', KEYS[3], ids[i])
end
return records
