//! Temporary.
use fastglow::train::features::*;
fn main() {
    let t = std::time::Instant::now();
    let r = extract_corpus(
        "/var/tmp/fg/corpus".as_ref(),
        "/var/tmp/fg/features".as_ref(),
        &FeatureConfig::default(),
        &mut |d, n| {
            if d % 500 == 0 {
                eprintln!("{d}/{n}")
            }
        },
    );
    println!("{r:?} {:?}", t.elapsed());
    let t = std::time::Instant::now();
    for split in [Split::HeldOut, Split::Train] {
        let u = load_features("/var/tmp/fg/features".as_ref(), split).unwrap();
        println!("{} {:?}", u.len(), t.elapsed());
        let peak = u.iter().flat_map(|u| &u.samples).fold(0f32, |a, b| a.max(b.abs()));
        println!(
            "peak {peak} {} {:?}",
            u[0].text,
            u[0].timed
                .phones
                .iter()
                .zip(&u[0].timed.durations_frames)
                .map(|(p, d)| format!("{}:{d}", p.symbol))
                .collect::<Vec<_>>()
                .join(" ")
        );
    }
}
