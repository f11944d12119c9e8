//! front_end
