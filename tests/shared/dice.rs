//! Numbers and bytes that look random and come again with the same seed.

/// Bytes that repeat nowhere near.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&dice.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// SplitMix64: one multiplication away from a counter, and good enough for choosing where to break.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Dice for a test whose every run is to be another one; the seed is printed, and taken from
    /// `HYDRANT_SEED` where that is set.
    #[expect(clippy::print_stderr, reason = "whoever replays a failure needs the seed")]
    pub fn of_the_day() -> Dice {
        let given = std::env::var("HYDRANT_SEED").ok().and_then(|text| text.parse().ok());
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
        let seed = given.unwrap_or(now.as_nanos() as u64);
        eprintln!("seed {seed} (HYDRANT_SEED={seed} replays it)");
        Dice(seed)
    }

    /// Any number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so it is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
