//! The `fastglow` program.

fn main() {}
