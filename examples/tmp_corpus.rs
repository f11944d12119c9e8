//! Temporary.
use fastglow::train::corpus::*;
fn main() {
    let excluded: Vec<String> =
        std::fs::read_to_string("voices/evaluation.txt").unwrap().lines().map(str::to_owned).collect();
    let config = CorpusConfig {
        directory: "/var/tmp/fg/corpus".into(),
        utterance_count: 4000,
        excluded_texts: excluded,
        ..Default::default()
    };
    let r = make_corpus(&config, &mut |d, t| eprintln!("{d}/{t}"));
    if let Err(e) = &r {
        eprintln!("{e}\n{:?}", e.hint());
    }
    println!("{r:?}");
}
