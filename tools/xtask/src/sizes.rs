//! Sizes as people write them: `4GiB`, `256KiB`, `1048576`.

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// One GiB as a float, for rates.
pub const GIB: f64 = (1u64 << 30) as f64;

/// Reads a size; for clap.
pub fn parse(text: &str) -> Result<u64, String> {
    let (digits, unit_bytes) = UNITS
        .iter()
        .find_map(|&(unit, bytes)| text.strip_suffix(unit).map(|digits| (digits, bytes)))
        .unwrap_or((text, 1));
    let count: u64 =
        digits.trim().parse().map_err(|_| "a size is like 4GiB, 256KiB or 1048576".to_owned())?;
    count
        .checked_mul(unit_bytes)
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "a size is 1 byte to 2^64-1".to_owned())
}

/// Writes it with the largest unit that leaves no rest.
pub fn show(bytes: u64) -> String {
    let (unit, unit_bytes) =
        UNITS.iter().find(|(_, unit_bytes)| bytes.is_multiple_of(*unit_bytes)).unwrap_or(&UNITS[3]);
    format!("{} {unit}", bytes / unit_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(parse("4GiB"), Ok(4 << 30));
        assert_eq!(parse("256 KiB"), Ok(256 << 10));
        assert_eq!(parse("1000"), Ok(1000));
        assert!(parse("0").is_err());
        assert!(parse("4GB").is_err());
        assert!(parse("99999999999GiB").is_err());
        assert_eq!(show(256 << 10), "256 KiB");
        assert_eq!(show(1001), "1001 B");
    }
}
