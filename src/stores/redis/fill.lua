-- KEYS: cached values. ARGV: for each key its version, its bytes, its time to live in milliseconds.
-- Stored bytes are "<version>|<json>"; a tombstone is "<version>|". An older version never replaces a newer one.
for i, key in ipairs(KEYS) do
  local version = tonumber(ARGV[i * 3 - 2])
  local held = redis.call('GET', key)
  local held_version = held and tonumber(string.match(held, '^(%d+)|'))
  if not held_version or held_version <= version then
    redis.call('SET', key, ARGV[i * 3 - 1], 'PX', ARGV[i * 3])
  end
end
return #KEYS
