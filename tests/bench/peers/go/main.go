// The cases in Go. See ../../case.h for what a program is called with and what it prints.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type benchCase struct {
	name  string
	run   func(name string, count int)
	procs int // 0: as many as it may use
	count int
}

var cases = []benchCase{
	{"yield_2", yield, 1, 2},
	{"yield_1000", yield, 1, 1000},
	{"spawn_join_1", spawnJoin, 1, 0},
	{"spawn_join_2", spawnJoin, 2, 0},
	{"pingpong_1", pingpong, 1, 0},
	{"pingpong_2", pingpong, 2, 0},
	{"skynet_1", skynetCase, 1, 0},
	{"skynet_2", skynetCase, 2, 0},
	{"fib_1", fibCase, 1, 0},
	{"fib_2", fibCase, 2, 0},
	{"sleepers", sleepers, 2, 1000000},
	{"delayed", delayed, 2, 1000000},
	{"gather_1", gather, 1, 10000},
	{"gather_2", gather, 2, 10000},
	{"echo_pinned", echo, 0, 0},
	{"echo_2", echo, 0, 0},
	{"cpu", cpu, 2, 48},
	{"process", process, 2, 0},
}

func die(what string, err error) {
	fmt.Fprintf(os.Stderr, "bench: %s: %v\n", what, err)
	os.Exit(1)
}

func tell(what string, value float64, unit string) {
	fmt.Printf("%s\t%.6g\t%s\n", what, value, unit)
}

// Nanoseconds; with BENCH_CLOCK=cpu those that the process had a core.
func now() int64 {
	if os.Getenv("BENCH_CLOCK") != "cpu" {
		return int64(time.Since(start))
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		die("getrusage", err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

var start = time.Now()

func since(began int64) float64 { return float64(now() - began) }

func yieldTogether(tasks, yields int) {
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for left := yields / tasks; left > 0; left-- {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
}

func yield(name string, tasks int) {
	const yields = 4000000
	yieldTogether(tasks, yields/40)
	began := now()
	yieldTogether(tasks, yields)
	tell(name, since(began)/yields, "ns")
}

func aThousand() {
	var all sync.WaitGroup
	all.Add(1000)
	for i := 0; i < 1000; i++ {
		go all.Done()
	}
	all.Wait()
}

func spawnJoin(name string, _ int) {
	const tasks = 1000000
	for i := 0; i < 10; i++ {
		aThousand()
	}
	began := now()
	for i := 0; i < tasks/1000; i++ {
		aThousand()
	}
	tell(name, since(began)/tasks, "ns")
}

func play(ping, pong chan uint64, trips uint64) {
	for sent := uint64(0); sent < trips; sent++ {
		ping <- sent
		if <-pong != sent {
			panic("another ball came back")
		}
	}
}

func pingpong(name string, _ int) {
	const trips = 1000000
	ping, pong := make(chan uint64), make(chan uint64)
	go func() {
		for ball := range ping {
			pong <- ball
		}
	}()
	play(ping, pong, trips/40)
	began := now()
	play(ping, pong, trips)
	tell(name, since(began)/trips, "ns")
}

func skynet(result chan<- int, first, size int) {
	if size == 1 {
		result <- first
		return
	}
	results := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go skynet(results, first+i*size/10, size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-results
	}
	result <- sum
}

func skynetCase(name string, _ int) {
	const leaves = 1000000
	result := make(chan int)
	go skynet(result, 0, leaves/100)
	<-result
	began := now()
	go skynet(result, 0, leaves)
	if <-result != leaves*(leaves-1)/2 {
		panic("the sum is wrong")
	}
	tell(name, since(began)/1e6, "ms")
}

// One allocation for a pair of calls.
type pair struct {
	results [2]int
	left    sync.WaitGroup
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	both := &pair{}
	both.left.Add(2)
	go fibInto(both, 0, n-1)
	go fibInto(both, 1, n-2)
	both.left.Wait()
	return both.results[0] + both.results[1]
}

func fibInto(of *pair, index, n int) {
	of.results[index] = fib(n)
	of.left.Done()
}

func fibCase(name string, _ int) {
	fib(20)
	began := now()
	if fib(30) != 832040 {
		panic("the number is wrong")
	}
	tell(name, since(began)/1e6, "ms")
}

func kib(path, key string) float64 {
	bytes, err := os.ReadFile(path)
	if err != nil {
		die(path, err)
	}
	for _, line := range strings.Split(string(bytes), "\n") {
		if strings.HasPrefix(line, key) {
			value, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return value * 1024
		}
	}
	panic(path + " does not say " + key)
}

type memory struct{ rss, pss, tables float64 }

func memoryNow() memory {
	return memory{kib("/proc/self/smaps_rollup", "Rss:"), kib("/proc/self/smaps_rollup", "Pss:"),
		kib("/proc/self/status", "VmPTE:")}
}

func tellMemory(name string, count int, before memory) {
	now := memoryNow()
	tell(name+".rss", (now.rss-before.rss)/float64(count), "B")
	tell(name+".pss", (now.pss-before.pss)/float64(count), "B")
	tell(name+".tables", (now.tables-before.tables)/float64(count), "B")
}

func sleepers(name string, count int) {
	night := 4 * time.Second
	if ms, err := strconv.Atoi(os.Getenv("BENCH_SLEEP_MS")); err == nil {
		night = time.Duration(ms) * time.Millisecond
	}
	var asleep, awake int64
	var all sync.WaitGroup
	all.Add(count)
	before := memoryNow()
	began := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			atomic.AddInt64(&asleep, 1)
			time.Sleep(night)
			atomic.AddInt64(&awake, 1)
			all.Done()
		}()
	}
	for atomic.LoadInt64(&asleep) < int64(count) {
		time.Sleep(time.Millisecond)
	}
	if atomic.LoadInt64(&awake) > 0 {
		os.Exit(3) // the first woke before the last slept
	}
	tellMemory(name, count, before)
	all.Wait()
	tell(name+".fresh", (time.Since(began) - night).Seconds(), "s")
}

func delayed(name string, count int) {
	timers := make([]*time.Timer, count)
	for i := range timers {
		timers[i] = nil
	}
	before := memoryNow()
	began := now()
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour, func() {})
	}
	took := since(began) / float64(count)
	tellMemory(name, count, before)
	tell(name+".spawn", took, "ns")
	runtime.KeepAlive(timers)
}

func gatherOnce(count int) float64 {
	began := now()
	var all sync.WaitGroup
	all.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			time.Sleep(time.Millisecond)
			all.Done()
		}()
	}
	all.Wait()
	return since(began)/1e6 - 1
}

func gather(name string, count int) {
	gatherOnce(count)
	over := make([]float64, 31)
	for i := range over {
		over[i] = gatherOnce(count)
	}
	sort.Float64s(over)
	tell(name, over[len(over)/2], "ms")
}

func echo(_ string, _ int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		die("listen", err)
	}
	fmt.Printf("port\t%d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			die("accept", err)
		}
		go func() {
			defer connection.Close()
			bytes := make([]byte, 4096)
			for {
				got, err := connection.Read(bytes)
				if err != nil {
					return
				}
				if _, err = connection.Write(bytes[:got]); err != nil {
					return
				}
			}
		}()
	}
}

func primes() (found int) {
	const limit, sieves = 1 << 17, 6
	composite := make([]bool, limit)
	for again := 0; again < sieves; again++ {
		for i := range composite {
			composite[i] = false
		}
		found = 0
		for n := 2; n < limit; n++ {
			if composite[n] {
				continue
			}
			found++
			for m := n * n; m < limit; m += n {
				composite[m] = true
			}
		}
	}
	return
}

func cpuOn(procs, tasks int) float64 {
	runtime.GOMAXPROCS(procs)
	began := time.Now()
	var all sync.WaitGroup
	all.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			if primes() != 12251 {
				panic("the number of primes is wrong")
			}
			all.Done()
		}()
	}
	all.Wait()
	return time.Since(began).Seconds()
}

func cpu(name string, tasks int) {
	one, two := cpuOn(1, tasks), cpuOn(2, tasks)
	for turn := 0; turn < 8; turn++ {
		if took := cpuOn(1, tasks); took < one {
			one = took
		}
		if took := cpuOn(2, tasks); took < two {
			two = took
		}
	}
	tell(name, one/two, "x")
}

func processes(count int) {
	var both sync.WaitGroup
	both.Add(2)
	for i := 0; i < 2; i++ {
		go func() {
			for left := count / 2; left > 0; left-- {
				if err := exec.Command("/bin/true").Run(); err != nil {
					die("true", err)
				}
			}
			both.Done()
		}()
	}
	both.Wait()
}

func process(name string, _ int) {
	const count = 500
	processes(50)
	began := now()
	processes(count)
	tell(name, count/(since(began)/1e9), "/s")
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	wanted := map[string]bool{}
	for _, name := range os.Args[1:] {
		wanted[name] = true
	}
	for _, c := range cases {
		if wanted["--list"] {
			fmt.Fprintln(out, c.name)
		} else if wanted[c.name] {
			if c.procs > 0 {
				runtime.GOMAXPROCS(c.procs)
			}
			c.run(c.name, c.count)
		}
	}
}
