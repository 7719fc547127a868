//! The cases on Tokio. See ../../../case.h for what a program is called with and what it prints.
//!
//! One loop is the current-thread runtime, which is the faster one there; but for fib, where the multi-thread one with a
//! single worker takes half the time (it runs what was spawned last first). The root is a task too, because what `block_on`
//! runs is not on a worker.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

#[derive(Clone, Copy)]
enum Loops {
    Current,
    Multi(usize),
}
use Loops::{Current, Multi};

struct Case {
    name: &'static str,
    run: fn(&Case),
    loops: Loops,
    count: usize,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "yield_2", run: yields, loops: Current, count: 2 },
    Case { name: "yield_1000", run: yields, loops: Current, count: 1000 },
    Case { name: "spawn_join_1", run: spawn_join, loops: Current, count: 1_000_000 },
    Case { name: "spawn_join_2", run: spawn_join, loops: Multi(2), count: 1_000_000 },
    Case { name: "pingpong_1", run: pingpong, loops: Current, count: 1_000_000 },
    Case { name: "pingpong_2", run: pingpong, loops: Multi(2), count: 1_000_000 },
    Case { name: "skynet_1", run: skynet_case, loops: Current, count: 1_000_000 },
    Case { name: "skynet_2", run: skynet_case, loops: Multi(2), count: 1_000_000 },
    Case { name: "fib_1", run: fib_case, loops: Multi(1), count: 30 },
    Case { name: "fib_2", run: fib_case, loops: Multi(2), count: 30 },
    Case { name: "sleepers", run: sleepers, loops: Multi(2), count: 1_000_000 },
    Case { name: "gather_1", run: gather, loops: Current, count: 10_000 },
    Case { name: "gather_2", run: gather, loops: Multi(2), count: 10_000 },
    Case { name: "offload_1", run: offload, loops: Current, count: 100_000 },
    Case { name: "offload_2", run: offload, loops: Multi(2), count: 100_000 },
    Case { name: "echo_pinned", run: echo, loops: Current, count: 0 },
    Case { name: "echo_2", run: echo, loops: Multi(2), count: 0 },
    Case { name: "cpu", run: cpu, loops: Multi(2), count: 48 },
    Case { name: "process", run: process, loops: Multi(2), count: 500 },
];

fn runtime(loops: Loops) -> Runtime {
    let built = match loops {
        Current => Builder::new_current_thread().enable_all().build(),
        Multi(workers) => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    };
    built.unwrap()
}

fn on_loops<F>(loops: Loops, root: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    runtime(loops).block_on(async { tokio::spawn(root).await.unwrap() })
}

/// With BENCH_CLOCK=cpu the time that the process had a core.
fn now() -> Duration {
    let cpu = std::env::var("BENCH_CLOCK").map_or(false, |clock| clock == "cpu");
    let clock = if cpu { libc::CLOCK_PROCESS_CPUTIME_ID } else { libc::CLOCK_MONOTONIC };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(clock, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn tell(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.6}\t{unit}");
}

fn tell_each(case: &Case, began: Duration, count: usize) {
    tell(case.name, (now() - began).as_nanos() as f64 / count as f64, "ns");
}

fn tell_ms(case: &Case, began: Duration) {
    tell(case.name, (now() - began).as_secs_f64() * 1e3, "ms");
}

async fn all(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.await.unwrap();
    }
}

async fn yield_together(tasks: usize, yields: usize) {
    let each = yields / tasks;
    let yielder = move |_| {
        tokio::spawn(async move {
            for _ in 0..each {
                tokio::task::yield_now().await;
            }
        })
    };
    all((0..tasks).map(yielder).collect()).await;
}

fn yields(case: &Case) {
    const YIELDS: usize = 4_000_000;
    let tasks = case.count;
    let took = on_loops(case.loops, async move {
        yield_together(tasks, YIELDS / 40).await;
        let began = now();
        yield_together(tasks, YIELDS).await;
        now() - began
    });
    tell(case.name, took.as_nanos() as f64 / YIELDS as f64, "ns");
}

async fn in_thousands(count: usize) {
    for _ in 0..count / 1000 {
        all((0..1000).map(|_| tokio::spawn(async {})).collect()).await;
    }
}

fn spawn_join(case: &Case) {
    let count = case.count;
    let began = on_loops(case.loops, async move {
        in_thousands(count / 100).await;
        let began = now();
        in_thousands(count).await;
        began
    });
    tell_each(case, began, count);
}

async fn play(ping: &mpsc::Sender<usize>, pong: &mut mpsc::Receiver<usize>, trips: usize) {
    for sent in 0..trips {
        ping.send(sent).await.unwrap();
        assert_eq!(pong.recv().await, Some(sent));
    }
}

fn pingpong(case: &Case) {
    let trips = case.count;
    let began = on_loops(case.loops, async move {
        let (ping, mut balls) = mpsc::channel(1);
        let (back, mut pong) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(ball) = balls.recv().await {
                back.send(ball).await.unwrap();
            }
        });
        play(&ping, &mut pong, trips / 40).await;
        let began = now();
        play(&ping, &mut pong, trips).await;
        began
    });
    tell_each(case, began, trips);
}

fn skynet(first: usize, size: usize) -> JoinHandle<usize> {
    tokio::spawn(async move {
        if size == 1 {
            return first;
        }
        let part = size / 10;
        let tasks: [_; 10] = std::array::from_fn(|i| skynet(first + i * part, part));
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    })
}

fn skynet_case(case: &Case) {
    let leaves = case.count;
    let began = on_loops(case.loops, async move {
        skynet(0, leaves / 100).await.unwrap();
        let began = now();
        assert_eq!(skynet(0, leaves).await.unwrap(), leaves * (leaves - 1) / 2);
        began
    });
    tell_ms(case, began);
}

fn fib(n: usize) -> JoinHandle<usize> {
    tokio::spawn(async move {
        if n < 2 {
            return n;
        }
        let (one, two) = (fib(n - 1), fib(n - 2));
        one.await.unwrap() + two.await.unwrap()
    })
}

fn fib_case(case: &Case) {
    let n = case.count;
    let began = on_loops(case.loops, async move {
        fib(n - 10).await.unwrap();
        let began = now();
        assert_eq!(fib(n).await.unwrap(), 832_040);
        began
    });
    tell_ms(case, began);
}

fn kib(path: &str, key: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

fn memory() -> [f64; 3] {
    let rollup = "/proc/self/smaps_rollup";
    [kib(rollup, "Rss:"), kib(rollup, "Pss:"), kib("/proc/self/status", "VmPTE:")]
}

fn tell_memory(case: &Case, before: [f64; 3]) {
    let now = memory();
    for (i, part) in ["rss", "pss", "tables"].iter().enumerate() {
        tell(&format!("{}.{part}", case.name), (now[i] - before[i]) / case.count as f64, "B");
    }
}

fn sleepers(case: &Case) {
    let ms = std::env::var("BENCH_SLEEP_MS").map_or(4000, |given| given.parse().unwrap());
    let night = Duration::from_millis(ms);
    let case: &'static Case = CASES.iter().find(|known| known.name == case.name).unwrap();
    on_loops(case.loops, async move {
        let mut tasks = Vec::with_capacity(case.count);
        let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]); // asleep, awake
        let before = memory();
        let began = now();
        for _ in 0..case.count {
            let counts = counts.clone();
            tasks.push(tokio::spawn(async move {
                counts[0].fetch_add(1, Relaxed);
                tokio::time::sleep(night).await;
                counts[1].fetch_add(1, Relaxed);
            }));
        }
        while counts[0].load(Relaxed) < case.count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if counts[1].load(Relaxed) > 0 {
            std::process::exit(3); // the first woke before the last slept
        }
        tell_memory(case, before);
        all(tasks).await;
        tell(&format!("{}.fresh", case.name), (now() - began).as_secs_f64() - night.as_secs_f64(), "s");
    });
}

async fn gather_once(count: usize) -> f64 {
    let began = now();
    let sleeper = |_| tokio::spawn(tokio::time::sleep(Duration::from_millis(1)));
    all((0..count).map(sleeper).collect()).await;
    (now() - began).as_secs_f64() * 1e3 - 1.0
}

fn gather(case: &Case) {
    let count = case.count;
    let over = on_loops(case.loops, async move {
        let mut over = Vec::new();
        gather_once(count).await;
        for _ in 0..31 {
            over.push(gather_once(count).await);
        }
        over.sort_by(f64::total_cmp);
        over[over.len() / 2]
    });
    tell(case.name, over, "ms");
}

async fn offload_in_flight(calls: usize) {
    let caller = |_| {
        tokio::spawn(async move {
            for _ in 0..calls / 64 {
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            }
        })
    };
    all((0..64).map(caller).collect()).await;
}

fn offload(case: &Case) {
    let calls = case.count;
    let began = on_loops(case.loops, async move {
        offload_in_flight(calls / 10).await;
        let began = now();
        offload_in_flight(calls).await;
        began
    });
    tell_each(case, began, calls);
}

fn echo(case: &Case) {
    on_loops(case.loops, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("port\t{}", listener.local_addr().unwrap().port());
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while let Ok(got) = connection.read(&mut bytes).await {
                    if got == 0 || connection.write_all(&bytes[..got]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
}

fn primes() -> usize {
    const LIMIT: usize = 1 << 17;
    let mut composite = vec![false; LIMIT];
    let mut found = 0;
    for _ in 0..6 {
        composite.fill(false);
        found = 0;
        for n in 2..LIMIT {
            if composite[n] {
                continue;
            }
            found += 1;
            for m in (n * n..LIMIT).step_by(n) {
                composite[m] = true;
            }
        }
    }
    found
}

fn cpu_on(loops: Loops, tasks: usize) -> f64 {
    on_loops(loops, async move {
        let began = now();
        all((0..tasks).map(|_| tokio::spawn(async { assert_eq!(primes(), 12251) })).collect()).await;
        (now() - began).as_secs_f64()
    })
}

fn cpu(case: &Case) {
    let (mut one, mut two) = (f64::MAX, f64::MAX);
    for _ in 0..9 {
        one = one.min(cpu_on(Current, case.count));
        two = two.min(cpu_on(case.loops, case.count));
    }
    tell(case.name, one / two, "x");
}

async fn processes(count: usize) {
    let starter = |_| {
        tokio::spawn(async move {
            for _ in 0..count / 2 {
                assert!(tokio::process::Command::new("/bin/true").status().await.unwrap().success());
            }
        })
    };
    all((0..2).map(starter).collect()).await;
}

fn process(case: &Case) {
    let count = case.count;
    let began = on_loops(case.loops, async move {
        processes(count / 10).await;
        let began = now();
        processes(count).await;
        began
    });
    tell(case.name, count as f64 / (now() - began).as_secs_f64(), "/s");
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for case in CASES {
        if wanted.iter().any(|name| name == "--list") {
            println!("{}", case.name);
        } else if wanted.iter().any(|name| name == case.name) {
            (case.run)(case);
        }
    }
}
