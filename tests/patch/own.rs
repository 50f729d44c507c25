// A Rust program with a static jemalloc as its global allocator, used as jemallocator does: by mallocx and
// sdallocx. Prints how often each was called.
use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

extern "C" {
    fn mallocx(size: usize, flags: i32) -> *mut u8;
    fn rallocx(p: *mut u8, size: usize, flags: i32) -> *mut u8;
    fn sdallocx(p: *mut u8, size: usize, flags: i32);
}

struct Jemalloc;
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static GIVEN: AtomicUsize = AtomicUsize::new(0);

fn flags(layout: &Layout) -> i32 {
    if layout.align() > 16 { layout.align().trailing_zeros() as i32 } else { 0 }
}

unsafe impl GlobalAlloc for Jemalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(1, Relaxed);
        mallocx(layout.size(), flags(&layout))
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        GIVEN.fetch_add(1, Relaxed);
        sdallocx(p, layout.size(), flags(&layout))
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.fetch_add(1, Relaxed);
        GIVEN.fetch_add(1, Relaxed);
        rallocx(p, size, flags(&layout))
    }
}

#[global_allocator]
static GLOBAL: Jemalloc = Jemalloc;

fn work(n: usize) -> usize {
    let mut map = BTreeMap::new();
    for i in 0..n {
        map.insert(i, format!("{}-{}", i, "x".repeat(i % 50)));
    }
    map.values().map(|s| s.len()).sum()
}

fn main() {
    let threads: Vec<_> = (0..4).map(|i| std::thread::spawn(move || work(300 + i))).collect();
    let sum: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    let panicked = std::panic::catch_unwind(|| { let v: Vec<u64> = Vec::with_capacity(9); assert!(v.len() > 9, "no") });
    eprintln!("{} {} {} {}", TAKEN.load(Relaxed), GIVEN.load(Relaxed), sum, panicked.is_err());
}
