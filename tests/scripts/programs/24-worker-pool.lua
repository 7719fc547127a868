-- time: 0.18
local jobs = queue()

local function worker(name)
  while true do
    local job = jobs:get()
    print(name .. " takes job " .. job)
    sleep(0.02 + 0.01 * job)
    print(name .. " finished job " .. job)
    jobs:task_done()
  end
end

for job = 1, 7 do jobs:put(job) end
local workers = {}
for i = 1, 3 do workers[i] = spawn(worker, "worker " .. i) end
jobs:join()
print("all jobs done")
for _, w in ipairs(workers) do w:cancel() end
workers.errors = true
local results = gather(workers)
print(results[1] == cancelled, results[2] == cancelled, results[3] == cancelled)
