// SPDX-License-Identifier: MIT
//! tower's balancers beside trimtab's, in one process and by turns: a pick, a
//! call that is answered at once, and what the balancer learns from its end.
//! tower's part is poll_ready, call and the poll that completes the answer, with
//! a service that does nothing; trimtab's is acquire and report. Each trial
//! measures tower, trimtab, tower; the ratio is to the mean of tower's two, on
//! CPU time of the thread; printed are medians over all trials.
use std::future::{ready, Future, Ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwma, PendingRequests};
use tower::Service;

// ---- trimtab, by its C interface ----

/// peer.c's, which knows the size of things.
#[repr(C)]
struct Driver {
    _private: [u8; 0],
}

extern "C" {
    fn peer_make(algorithm: u32, n: u32) -> *mut Driver;
    fn peer_turns(d: *mut Driver, n: u64, now_ns: u64, step_ns: u64) -> i64;
    fn peer_end(d: *mut Driver);
    fn peer_cpu_ns() -> u64;
    fn peer_algorithm(name: *const u8) -> u32;
}

// ---- tower ----

#[derive(Clone)]
struct Nothing;

impl Service<()> for Nothing {
    type Response = ();
    type Error = std::convert::Infallible;
    type Future = Ready<Result<(), Self::Error>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, _: ()) -> Self::Future {
        ready(Ok(()))
    }
}

fn turns<S>(service: &mut S, n: u64)
where
    S: Service<()>,
    S::Error: std::fmt::Debug,
    S::Future: Unpin,
{
    let waker = futures_util::task::noop_waker();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..n {
        match service.poll_ready(&mut cx) {
            Poll::Ready(Ok(())) => {}
            _ => panic!("not ready"),
        }
        let mut answer = service.call(());
        match Pin::new(&mut answer).poll(&mut cx) {
            Poll::Ready(Ok(_)) => {}
            _ => panic!("no answer"),
        }
    }
}

fn cpu<F: FnOnce()>(f: F) -> f64 {
    let begun = unsafe { peer_cpu_ns() };
    f();
    (unsafe { peer_cpu_ns() } - begun) as f64
}

fn median(mut v: Vec<f64>) -> f64 {
    v.sort_by(|a, b| a.partial_cmp(b).unwrap());
    v[v.len() / 2]
}

const TURNS: u64 = 20_000;
const TRIALS: usize = 61;

fn compare<S>(what: &str, algorithm: &str, n: u32, mut tower: S)
where
    S: Service<()>,
    S::Error: std::fmt::Debug,
    S::Future: Unpin,
{
    let d = unsafe { peer_make(peer_algorithm(algorithm.as_ptr()), n) };
    assert!(!d.is_null());
    let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for trial in 0..TRIALS as u64 {
        let before = cpu(|| turns(&mut tower, TURNS));
        let mine = cpu(|| unsafe {
            // Calls one microsecond apart: peak EWMA has something to decay.
            assert!(peer_turns(d, TURNS, 1_000_000_000 + trial * TURNS * 1000, 1000) >= 0);
        });
        let after = cpu(|| turns(&mut tower, TURNS));
        theirs.push((before + after) / 2.0 / TURNS as f64);
        ours.push(mine / TURNS as f64);
        ratios.push((before + after) / 2.0 / mine);
    }
    println!(
        "{:<34} {:>6} {:>10.1} {:>10.1} {:>9.1}",
        what, n, median(theirs), median(ours), median(ratios)
    );
    unsafe { peer_end(d) };
}

fn main() {
    println!("{:<34} {:>6} {:>10} {:>10} {:>9}", "tower 0.4 and trimtab", "N", "tower ns", "ours ns", "times");
    for &n in &[10u32, 100, 1000, 10000] {
        let list: Vec<_> = (0..n)
            .map(|_| PendingRequests::new(Nothing, CompleteOnResponse::default()))
            .collect();
        compare("two choices, in flight", "two choices\0", n, Balance::new(ServiceList::new(list)));
    }
    for &n in &[10u32, 100, 1000, 10000] {
        let list: Vec<_> = (0..n)
            .map(|_| {
                let rtt = Duration::from_millis(1);
                PeakEwma::new(Nothing, rtt, 10e9, CompleteOnResponse::default())
            })
            .collect();
        compare("peak EWMA", "peak EWMA\0", n, Balance::new(ServiceList::new(list)));
    }
}
