-- KEYS[1]: a timeline. ARGV[1]: how many ids to keep. ARGV[2]: a horizon it must at least have, "0" for none.
-- Element 0 is the header "h:<horizon>,<generation>"; the rest are ids in the order they came. Sorts, drops doubles, keeps the newest,
-- and raises the horizon to the newest id that was dropped.
local items = redis.call('LRANGE', KEYS[1], 0, -1)
local horizon, generation = string.match(items[1] or '', '^h:(%d+)(.*)$')
if not horizon then return 0 end
table.remove(items, 1)
-- Ids have up to 19 digits, more than a Lua number holds: compare them as text of equal length.
local function before(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end
table.sort(items, before)
if before(horizon, ARGV[2]) then horizon = ARGV[2] end
local kept = {}
for _, id in ipairs(items) do
  -- What is at or below the horizon is never read: the shards answer there.
  if before(horizon, id) and kept[#kept] ~= id then kept[#kept + 1] = id end
end
local keep = tonumber(ARGV[1])
local first = 1
if #kept > keep then
  first = #kept - keep + 1
  if before(horizon, kept[first - 1]) then horizon = kept[first - 1] end
end
local ttl = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('RPUSH', KEYS[1], 'h:' .. horizon .. generation)
for from = first, #kept, 500 do
  redis.call('RPUSH', KEYS[1], unpack(kept, from, math.min(from + 499, #kept)))
end
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl) end
return #kept - first + 1
