//! Sizes as people write them: `8MiB`, `1GiB`, `500MB`, `1048576`.

const UNITS: [(&str, u64); 9] = [
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// The smallest pool: two parts of the 5 MiB that S3 asks for, each at a multiple of 8 MiB, and the
/// share for heads.
pub const POOL_BYTES_MIN: usize = 16 << 20;

/// The pool of commands that move little.
pub const POOL_BYTES_SMALL: usize = 64 << 20;

/// Reads a size in bytes; for clap. `KiB` and its kin are powers of 1,024, `KB` and its kin of
/// 1,000; upper and lower case are the same.
pub fn parse(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let (digits, unit_bytes) = UNITS
        .iter()
        .find_map(|&(unit, bytes)| upper.strip_suffix(unit).map(|digits| (digits, bytes)))
        .unwrap_or((&upper, 1));
    let digits = digits.trim_end();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a size is a whole number with a unit, like 8MiB, 1GiB or 500MB".to_owned());
    }
    let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_bytes));
    match bytes {
        Some(0) => Err("a size is at least 1 byte".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("that is more than 2^64 bytes".to_owned()),
    }
}

/// Reads the size of the pool.
pub fn parse_pool(text: &str) -> Result<usize, String> {
    let bytes = parse(text)?;
    match usize::try_from(bytes) {
        Ok(bytes) if bytes >= POOL_BYTES_MIN => Ok(bytes),
        Ok(_) => Err("the pool has at least 16MiB: S3 takes no parts under 5MiB".to_owned()),
        Err(_) => Err("that is more than this machine can address".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_units_are_told_apart() {
        let sizes = [
            ("8MiB", 8 << 20),
            ("1GiB", 1 << 30),
            ("2tib", 2 << 40),
            ("64 KiB", 64 << 10),
            ("500MB", 500_000_000),
            ("3kb", 3_000),
            ("1 GB", 1_000_000_000),
            ("7TB", 7_000_000_000_000),
            ("12B", 12),
            ("1048576", 1 << 20),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "MiB", "0", "0GiB", "-1", "1.5GiB", "8M", "+8MiB", "1 000", "0x10", "8MiBB"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("99999999999TiB").is_err());
        assert!(parse("18446744073709551615").is_ok());
        assert!(parse("18446744073709551616").is_err());
    }

    #[test]
    fn a_pool_has_at_least_16_mib() {
        assert_eq!(parse_pool("16MiB"), Ok(16 << 20));
        assert!(parse_pool("15MiB").is_err());
    }
}
