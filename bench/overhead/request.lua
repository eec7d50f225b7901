-- Sends one POST over and over: wrk ... URL -- BODY_FILE [HEADER VALUE]...
wrk.method = "POST"

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.body = file:read("*a")
  file:close()
  for place = 2, #args, 2 do
    wrk.headers[args[place]] = args[place + 1]
  end
end
