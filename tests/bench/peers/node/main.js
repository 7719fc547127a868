// The cases on Node.js. See ../../case.h for what a program is called with and what it prints. A call of an async function
// runs at once and is no task that could be spawned and joined, so it has no part in those.
'use strict';

const { readFileSync } = require('fs');
const net = require('net');
const { spawn } = require('child_process');

const tell = (what, value, unit) => console.log(`${what}\t${Number(value.toPrecision(6))}\t${unit}`);
// With BENCH_CLOCK=cpu those that the process had a core.
const nanoseconds = () => {
  if (process.env.BENCH_CLOCK !== 'cpu') return Number(process.hrtime.bigint());
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const kib = (path, key) => {
  const line = readFileSync(path, 'utf8').split('\n').find((one) => one.startsWith(key));
  return Number(line.split(/\s+/)[1]) * 1024;
};
const memory = () => [kib('/proc/self/smaps_rollup', 'Rss:'), kib('/proc/self/smaps_rollup', 'Pss:'),
  kib('/proc/self/status', 'VmPTE:')];
const tellMemory = (name, count, before) => {
  const now = memory();
  ['rss', 'pss', 'tables'].forEach((part, i) => tell(`${name}.${part}`, (now[i] - before[i]) / count, 'B'));
};

async function yielder(times) {
  for (let left = times; left > 0; left--) await null;
}

async function yieldTogether(tasks, yields) {
  await Promise.all(Array.from({ length: tasks }, () => yielder(yields / tasks)));
}

async function yields(name, tasks) {
  const count = 4000000;
  await yieldTogether(tasks, count / 40);
  const began = nanoseconds();
  await yieldTogether(tasks, count);
  tell(name, (nanoseconds() - began) / count, 'ns');
}

async function sleepers(name, count) {
  const night = Number(process.env.BENCH_SLEEP_MS || 4000);
  const all = new Array(count).fill(null);
  let asleep = 0;
  let awake = 0;
  const sleeper = async () => {
    asleep++;
    await sleep(night);
    awake++;
  };
  const before = memory();
  const began = nanoseconds();
  for (let i = 0; i < count; i++) all[i] = sleeper();
  await sleep(1);
  if (asleep < count || awake) process.exit(3); // the first woke before the last slept
  tellMemory(name, count, before);
  await Promise.all(all);
  tell(`${name}.fresh`, (nanoseconds() - began) / 1e9 - night / 1e3, 's');
}

async function delayed(name, count) {
  const all = new Array(count).fill(null);
  const before = memory();
  const began = nanoseconds();
  for (let i = 0; i < count; i++) all[i] = setTimeout(() => {}, 3600000);
  const took = (nanoseconds() - began) / count;
  tellMemory(name, count, before);
  tell(`${name}.spawn`, took, 'ns');
  process.exit(0);
}

async function gatherOnce(count) {
  const began = nanoseconds();
  await Promise.all(Array.from({ length: count }, () => sleep(1)));
  return (nanoseconds() - began) / 1e6 - 1;
}

async function gather(name, count) {
  const over = [];
  await gatherOnce(count);
  for (let i = 0; i < 31; i++) over.push(await gatherOnce(count));
  tell(name, over.sort((a, b) => a - b)[15], 'ms');
}

function echo() {
  const server = net.createServer({ noDelay: true }, (connection) => {
    connection.on('data', (bytes) => connection.write(bytes));
    connection.on('error', () => connection.destroy());
  });
  server.listen(0, '127.0.0.1', () => console.log(`port\t${server.address().port}`));
  return new Promise(() => {});
}

const started = () => new Promise((resolve, reject) => {
  spawn('/bin/true', { stdio: 'ignore' }).on('error', reject).on('exit', (status) => (status ? reject(status) : resolve()));
});

async function starter(times) {
  for (let left = times; left > 0; left--) await started();
}

async function processes(name, count) {
  await Promise.all([starter(10), starter(10)]);
  const began = nanoseconds();
  await Promise.all([starter(count / 2), starter(count / 2)]);
  tell(name, count / ((nanoseconds() - began) / 1e9), '/s');
}

const CASES = {
  yield_2: [yields, 2],
  yield_1000: [yields, 1000],
  sleepers: [sleepers, 1000000],
  delayed: [delayed, 1000000],
  gather_1: [gather, 10000],
  echo_pinned: [echo, 0],
  echo_2: [echo, 0],
  process: [processes, 200],
};

async function main(wanted) {
  if (wanted.includes('--list')) {
    console.log(Object.keys(CASES).join('\n'));
    return;
  }
  for (const name of wanted) await CASES[name][0](name, CASES[name][1]);
}

main(process.argv.slice(2));
