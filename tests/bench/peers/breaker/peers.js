// SPDX-License-Identifier: MIT
// opossum and cockatiel: nanoseconds of one guarded call that succeeds, and of
// the same call unguarded. Medians of trials; a trial awaits N calls in a row.
'use strict';

const N = 20000, TRIALS = 15;

function load(name) {
  try {
    return require(name);
  } catch (error) {
    console.log(`${name}: left out, not installed (npm install ${name})`);
    return null;
  }
}

async function measure(name, call) {
  const ns = [];
  for (let trial = 0; trial < TRIALS + 2; trial++) {
    const begin = process.cpuUsage();
    for (let i = 0; i < N; i++) await call();
    const used = process.cpuUsage(begin);
    if (trial >= 2) ns.push(((used.user + used.system) * 1000) / N); // the first two warm up
  }
  ns.sort((a, b) => a - b);
  console.log(`${name.padEnd(44)} ${ns[TRIALS >> 1].toFixed(0).padStart(9)} ns`);
}

async function main() {
  const work = async () => 1;
  await measure('node: await, unguarded', work);
  const opossum = load('opossum'), cockatiel = load('cockatiel');
  if (opossum) {
    const breaker = new opossum(work, { timeout: false });
    await measure('opossum (time window, no timeout)', () => breaker.fire());
    breaker.shutdown();
  }
  if (cockatiel) {
    const { circuitBreaker, handleAll, ConsecutiveBreaker, SamplingBreaker } = cockatiel;
    const row = circuitBreaker(handleAll, { halfOpenAfter: 1000, breaker: new ConsecutiveBreaker(5) });
    await measure('cockatiel (consecutive)', () => row.execute(work));
    const sampling = circuitBreaker(handleAll, {
      halfOpenAfter: 1000,
      breaker: new SamplingBreaker({ threshold: 0.5, duration: 10000 }),
    });
    await measure('cockatiel (sampling 10 s)', () => sampling.execute(work));
  }
}

main();
