-- KEYS: cached values, then, with a token, as many leases. ARGV: the token of the leases to give
-- back, or nothing; a channel, and what is published there, or nothing; then for each value its
-- version, its bytes, its time to live in milliseconds.
-- Stored bytes begin with the version; a tombstone is "<version>|". An older version never replaces a newer one.
local token = ARGV[1]
local said = ARGV[3]
local values = token == '' and #KEYS or #KEYS / 2
for i = 1, values do
  local version = tonumber(ARGV[i * 3 + 1])
  local held = redis.call('GET', KEYS[i])
  local held_version = held and tonumber(string.match(held, '^%d+'))
  if not held_version or held_version <= version then
    redis.call('SET', KEYS[i], ARGV[i * 3 + 2], 'PX', ARGV[i * 3 + 3])
  end
end
for i = values + 1, #KEYS do
  if redis.call('GET', KEYS[i]) == token then
    redis.call('DEL', KEYS[i])
  end
end
if said ~= '' then
  redis.call('PUBLISH', ARGV[2], said)
end
return values
