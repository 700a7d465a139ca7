#!lua flags=no-writes
-- Looks for orders of groups in queues, a part of the queues at a time.
-- Guarantees: looks at about 1 MiB of orders and no more, so that others are served in between.
-- KEYS   queues (STREAM)
-- ARGV   1 number of groups, the groups, then for each queue where to go on: a bound of XRANGE
-- Return for each queue that was looked at, in the order of KEYS: {id of the last order seen, or
--        '', 1 if that is the last of the queue, ids of orders of the groups...}
local count = tonumber(ARGV[1])
local groups = {}
for group = 2, 1 + count do
  groups[ARGV[group]] = true
end
local budget = 1048576
local step = 10
local found = {}
for queue = 1, #KEYS do
  local from = ARGV[1 + count + queue]
  local seen = {'', 0}
  found[queue] = seen
  while seen[2] == 0 and budget > 0 do
    local entries = redis.call('XRANGE', KEYS[queue], from, '+', 'COUNT', step)
    local bytes = 0
    for i = 1, #entries do
      local fields = entries[i][2]
      if groups[fields[4]] then
        seen[#seen + 1] = entries[i][1]
      end
      bytes = bytes + 512 + #fields[2]
      seen[1] = entries[i][1]
    end
    if #entries < step then
      seen[2] = 1
    else
      -- Large orders come a few at a time.
      step = math.max(1, math.min(200, math.floor(step * 131072 / bytes)))
    end
    budget = budget - bytes
    from = '(' .. seen[1]
  end
  if budget <= 0 then
    break
  end
end
return found
