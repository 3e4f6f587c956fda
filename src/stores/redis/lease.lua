-- KEYS: for each id its cached value, then its lease. ARGV: the token of whoever asks, the lease's time to live in milliseconds, and 1 when a value
-- that is held does not count. Answers for each id: the bytes held; or 1, the lease is yours; or 0, it is another's.
local answers = {}
for i = 1, #KEYS, 2 do
  local held = ARGV[3] ~= '1' and redis.call('GET', KEYS[i])
  if held and string.sub(held, -1) ~= '|' then
    answers[#answers + 1] = held
  elseif redis.call('SET', KEYS[i + 1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    answers[#answers + 1] = 1
  else
    answers[#answers + 1] = 0
  end
end
return answers
