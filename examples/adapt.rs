//! Makes the default voice speak like the recordings of a folder:
//!
//! ```sh
//! cargo run --release --example adapt -- recordings/ alice.gguf
//! ```

use std::ops::ControlFlow;
use std::path::PathBuf;

use fastglow::adapt::{AdaptConfig, Event, adapt, work_folder};
use fastglow::voice::{DEFAULT_VOICE, SearchPath};

fn main() -> fastglow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let recordings = arguments.next().unwrap_or_else(|| "recordings".into());
    let output = arguments.next().unwrap_or_else(|| "alice.gguf".into());

    let config = AdaptConfig {
        recordings,
        name: "alice".into(),
        base: SearchPath::from_environment().find(DEFAULT_VOICE)?,
        work: work_folder(&output),
        output,
        seed: 0,
        depth: 5,
        scale: 1.0,
        is_merged: false,
    };
    let report = adapt(&config, &mut |event| {
        match event {
            Event::Remark(remark) => println!("left out: {remark}"),
            Event::Progress { stage, done, total } if done == total => println!("{stage}: done"),
            Event::Progress { .. } | Event::Line { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    println!("distortion: {:.2} dB, was {:.2} dB", report.after.mcd_db, report.before.mcd_db);
    Ok(())
}
