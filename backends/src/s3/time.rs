//! The three ways S3 writes a time: SigV4 (`20130524T000000Z`), HTTP dates, and ISO 8601 in XML.
//!
//! Nothing here reads a clock: the time comes in as seconds since 1970 (SANS-1).

use std::fmt;
use std::time::{Duration, SystemTime};

const DAY_S: u64 = 86_400;
/// 9999-12-31T23:59:59Z, the last second whose year has four digits.
const LAST_S: u64 = 253_402_300_799;

/// A moment between 1970 and the end of the year 9999, in whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `seconds` after 1970-01-01T00:00:00Z; beyond the year 9999 it is that year's last
    /// second.
    pub fn from_unix_seconds(seconds: u64) -> Timestamp {
        Timestamp(seconds.min(LAST_S))
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> u64 {
        self.0
    }

    /// This moment shifted by what a server's clock was found to be ahead (or behind, negative), in
    /// seconds.
    pub fn shifted(self, offset_s: i64) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.saturating_add_signed(offset_s))
    }

    /// Reads an HTTP date in the one form that senders may use, `Sun, 06 Nov 1994 08:49:37 GMT`
    /// (IMF-fixdate, RFC 9110 section 5.6.7). The weekday is not compared with the date.
    pub fn parse_http_date(text: &str) -> Result<Timestamp, TimeError> {
        http_date(text).ok_or(TimeError { expected: "an HTTP date" })
    }

    /// Reads ISO 8601 as S3 writes it in XML, `2009-10-12T17:50:30.000Z`: the fraction may be
    /// missing and is dropped, and an offset such as `+02:00` may stand for `Z`.
    pub fn parse_iso8601(text: &str) -> Result<Timestamp, TimeError> {
        iso8601(text).ok_or(TimeError { expected: "an ISO 8601 time" })
    }
}

impl From<SystemTime> for Timestamp {
    /// A clock before 1970 gives 1970: such a machine cannot sign anything a server would take.
    fn from(time: SystemTime) -> Timestamp {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_seconds(since.as_secs())
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(time.0)
    }
}

/// A moment written for SigV4: the value of `x-amz-date`, whose first half is the day of the scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SigningTime([u8; 16]);

impl SigningTime {
    /// Writes `at` as `YYYYMMDDTHHMMSSZ`, in UTC.
    pub fn new(at: Timestamp) -> SigningTime {
        let (year, month, day) = civil_from_days(at.0 / DAY_S);
        let of_day = at.0 % DAY_S;
        let mut text = *b"00000000T000000Z";
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[4..6], month);
        write_digits(&mut text[6..8], day);
        write_digits(&mut text[9..11], of_day / 3600);
        write_digits(&mut text[11..13], of_day / 60 % 60);
        write_digits(&mut text[13..15], of_day % 60);
        SigningTime(text)
    }

    /// `YYYYMMDDTHHMMSSZ`: the value of the `x-amz-date` header.
    pub fn date_time(&self) -> &[u8; 16] {
        &self.0
    }

    /// `YYYYMMDD`: the day in the credential scope.
    pub fn day(&self) -> &[u8; 8] {
        self.0.first_chunk().expect("16 bytes hold 8")
    }
}

impl fmt::Debug for SigningTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// A moment written as an HTTP date, `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpDate(pub Timestamp);

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.0 / DAY_S, self.0.0 % DAY_S);
        let (year, month, day) = civil_from_days(days);
        // 1970-01-01 was a Thursday.
        let weekday = DAYS[((days + 3) % 7) as usize];
        let month = MONTHS[month as usize - 1];
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

/// A moment written as ISO 8601, `1994-11-06T08:49:37Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iso8601(pub Timestamp);

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.0 / DAY_S);
        let of_day = self.0.0 % DAY_S;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A text that is not the kind of time it was expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {expected} between 1970 and 9999")]
pub struct TimeError {
    expected: &'static str,
}

fn http_date(text: &str) -> Option<Timestamp> {
    let mut scan = Scan(text.trim().as_bytes());
    scan.one_of(&DAYS)?;
    scan.literal(", ")?;
    let day = scan.number(2)?;
    scan.literal(" ")?;
    let month = scan.one_of(&MONTHS)? + 1;
    scan.literal(" ")?;
    let year = scan.number(4)?;
    scan.literal(" ")?;
    let of_day = scan.time_of_day()?;
    scan.literal(" GMT")?;
    scan.end()?;
    Some(Timestamp(days_from_civil(year, month, day)? * DAY_S + of_day))
}

fn iso8601(text: &str) -> Option<Timestamp> {
    let mut scan = Scan(text.trim().as_bytes());
    let year = scan.number(4)?;
    scan.literal("-")?;
    let month = scan.number(2)?;
    scan.literal("-")?;
    let day = scan.number(2)?;
    scan.literal("T")?;
    let of_day = scan.time_of_day()?;
    scan.skip_fraction()?;
    let ahead_s = scan.utc_offset_s()?;
    scan.end()?;
    let local_s = days_from_civil(year, month, day)? * DAY_S + of_day;
    local_s.checked_add_signed(-ahead_s).filter(|&seconds| seconds <= LAST_S).map(Timestamp)
}

/// Reads fixed fields off the front of a text.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn literal(&mut self, wanted: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted.as_bytes())?;
        Some(())
    }

    fn one_of(&mut self, names: &[&str]) -> Option<u64> {
        let found = names.iter().position(|name| self.0.starts_with(name.as_bytes()))?;
        self.0 = &self.0[names[found].len()..];
        Some(found as u64)
    }

    fn number(&mut self, digits: usize) -> Option<u64> {
        let (field, rest) = self.0.split_at_checked(digits)?;
        if !field.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(field.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')))
    }

    /// `HH:MM:SS` as seconds; a leap second counts as the second after it.
    fn time_of_day(&mut self) -> Option<u64> {
        let hour = self.number(2).filter(|&hour| hour < 24)?;
        self.literal(":")?;
        let minute = self.number(2).filter(|&minute| minute < 60)?;
        self.literal(":")?;
        let second = self.number(2).filter(|&second| second <= 60)?;
        Some(hour * 3600 + minute * 60 + second)
    }

    fn skip_fraction(&mut self) -> Option<()> {
        if let Some(rest) = self.0.strip_prefix(b".") {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.0 = &rest[digits..];
            return (digits > 0).then_some(());
        }
        Some(())
    }

    fn utc_offset_s(&mut self) -> Option<i64> {
        if self.literal("Z").is_some() {
            return Some(0);
        }
        let sign = match self.one_of(&["+", "-"])? {
            0 => 1,
            _ => -1,
        };
        let hours = self.number(2).filter(|&hours| hours < 24)?;
        self.literal(":")?;
        let minutes = self.number(2).filter(|&minutes| minutes < 60)?;
        Some(sign * (hours * 3600 + minutes * 60) as i64)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn write_digits(field: &mut [u8], mut value: u64) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; nothing for a date that does not
/// exist.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let whole_years = (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    let whole_months: u64 = (1..month).map(|earlier| days_in_month(year, earlier)).sum();
    Some(whole_years + whole_months + day - 1)
}

/// Year, month and day of the given day after 1970-01-01.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // 365 days a year overshoots the year by at most the leap days passed, so walk back from there.
    let mut year = 1970 + days / 365;
    let start_of =
        |year: u64| (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
    while start_of(year) > days {
        year -= 1;
    }
    let mut left = days - start_of(year);
    let mut month = 1;
    while left >= days_in_month(year, month) {
        left -= days_in_month(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// Leap days in the years 1 to `year` - 1.
fn leap_days_before(year: u64) -> u64 {
    let past = year - 1;
    past / 4 - past / 100 + past / 400
}

fn days_in_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sigv4(seconds: u64) -> String {
        let time = SigningTime::new(Timestamp::from_unix_seconds(seconds));
        String::from_utf8(time.date_time().to_vec()).unwrap()
    }

    #[test]
    fn known_moments_are_written_for_sigv4() {
        assert_eq!(sigv4(0), "19700101T000000Z");
        assert_eq!(sigv4(1_369_353_600), "20130524T000000Z");
        assert_eq!(sigv4(1_440_938_160), "20150830T123600Z");
        assert_eq!(sigv4(951_782_400), "20000229T000000Z");
        assert_eq!(sigv4(4_107_542_399), "21000228T235959Z");
        assert_eq!(sigv4(4_107_542_400), "21000301T000000Z");
        assert_eq!(sigv4(LAST_S), "99991231T235959Z");
        assert_eq!(sigv4(u64::MAX), "99991231T235959Z");
    }

    #[test]
    fn the_day_is_the_first_half() {
        let time = SigningTime::new(Timestamp::from_unix_seconds(1_440_938_160));
        assert_eq!(time.day(), b"20150830");
    }

    #[test]
    fn http_dates_are_read() {
        let read = |text| Timestamp::parse_http_date(text).map(Timestamp::unix_seconds);
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Ok(784_111_777));
        assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT"), Ok(0));
        for wrong in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 GMT+1",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn known_moments_are_written_as_dates() {
        let at = Timestamp::from_unix_seconds(784_111_777);
        assert_eq!(HttpDate(at).to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Iso8601(at).to_string(), "1994-11-06T08:49:37Z");
        let first = Timestamp::from_unix_seconds(0);
        assert_eq!(HttpDate(first).to_string(), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    proptest! {
        #[test]
        fn written_dates_are_read_back(seconds in 0..=LAST_S) {
            let at = Timestamp::from_unix_seconds(seconds);
            prop_assert_eq!(Timestamp::parse_http_date(&HttpDate(at).to_string()), Ok(at));
            prop_assert_eq!(Timestamp::parse_iso8601(&Iso8601(at).to_string()), Ok(at));
        }
    }

    #[test]
    fn iso_times_are_read() {
        let read = |text| Timestamp::parse_iso8601(text).map(Timestamp::unix_seconds);
        assert_eq!(read("2009-10-12T17:50:30.000Z"), Ok(1_255_369_830));
        assert_eq!(read("2009-10-12T17:50:30Z"), Ok(1_255_369_830));
        assert_eq!(read("2009-10-12T19:50:30.123456789+02:00"), Ok(1_255_369_830));
        assert_eq!(read("2009-10-12T16:20:30-01:30"), Ok(1_255_369_830));
        for wrong in [
            "",
            "2009-10-12",
            "2009-10-12T17:50:30",
            "2009-10-12T17:50:30.Z",
            "2009-13-12T17:50:30Z",
            "2009-00-12T17:50:30Z",
            "2009-10-00T17:50:30Z",
            "1970-01-01T00:00:00+01:00",
            "2009-10-12T17:50:30Zx",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_clock_offset_shifts_both_ways() {
        let time = Timestamp::from_unix_seconds(100);
        assert_eq!(time.shifted(-30).unix_seconds(), 70);
        assert_eq!(time.shifted(30).unix_seconds(), 130);
        assert_eq!(time.shifted(-200).unix_seconds(), 0);
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(seconds in 0..=LAST_S) {
            let text = sigv4(seconds);
            let (date, time) = text.split_once('T').unwrap();
            let iso = format!(
                "{}-{}-{}T{}:{}:{}Z",
                &date[..4], &date[4..6], &date[6..], &time[..2], &time[2..4], &time[4..6]
            );
            prop_assert_eq!(Timestamp::parse_iso8601(&iso).unwrap().unix_seconds(), seconds);
        }

        #[test]
        fn order_of_text_is_order_of_time(a in 0..=LAST_S, b in 0..=LAST_S) {
            prop_assert_eq!(sigv4(a).cmp(&sigv4(b)), a.cmp(&b));
        }

        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = Timestamp::parse_http_date(&text);
            let _ = Timestamp::parse_iso8601(&text);
        }
    }
}
