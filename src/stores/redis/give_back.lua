-- KEYS: leases. ARGV: the token of whoever held them. Another's lease is left alone.
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then
    redis.call('DEL', key)
  end
end
return #KEYS
