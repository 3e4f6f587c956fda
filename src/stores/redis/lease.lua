-- KEYS: for each id its cached value, then its lease. ARGV: the token of whoever asks, the lease's time to live in milliseconds, and 1 when a value
-- that is held does not count, and the generation that is trusted: what is held of another one does not count either. Answers for each id: the bytes held; or 1, the lease is yours; or 0, it is another's.
local function trusted(bytes)
  return bytes and string.sub(bytes, -1) ~= '|' and string.match(bytes, '^[^|]*,([^,|]*)|') == ARGV[4]
end
local answers = {}
for i = 1, #KEYS, 2 do
  local held = ARGV[3] ~= '1' and redis.call('GET', KEYS[i])
  if trusted(held) then
    answers[#answers + 1] = held
  elseif redis.call('SET', KEYS[i + 1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = 0
  end
end
return answers
