use std::collections::BTreeMap;
use std::thread;

fn words(seed: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for i in 0..3000 {
        *counts.entry(format!("word{}", i * seed % 300)).or_insert(0) += 1;
    }
    counts
}

fn main() {
    let all: Vec<_> = (1..4).map(|seed| thread::spawn(move || words(seed).len())).collect();
    let sum: usize = all.into_iter().map(|t| t.join().unwrap()).sum();
    println!("{} words", sum);
}
