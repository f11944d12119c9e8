//! Makes the default voice speak like the recordings of a folder:
//!
//! ```sh
//! cargo run --release --example adapt -- recordings/ alice.gguf
//! ```

use std::ops::ControlFlow;
use std::path::PathBuf;

use fastglow::adapt::{AdaptConfig, Event, adapt};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn main() -> fastglow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let recordings = arguments.next().unwrap_or_else(|| "recordings".into());
    let output = arguments.next().unwrap_or_else(|| "alice.gguf".into());

    let base = SearchPath::from_environment().find(DEFAULT_VOICE)?;
    let config = AdaptConfig::new((recordings, "alice".into()), (base, output));
    let report = adapt(&config, &mut |event| {
        match event {
            Event::Remark(remark) => println!("left out: {remark}"),
            Event::Progress { stage, done, total } if done == total => println!("{stage}: done"),
            Event::Planned(plan) => println!("about {:.0} minutes", plan.seconds / 60.0),
            Event::Progress { .. } | Event::Line { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    println!("distortion: {:.2} dB, was {:.2} dB", report.after.mcd_db, report.before.mcd_db);
    Ok(())
}
