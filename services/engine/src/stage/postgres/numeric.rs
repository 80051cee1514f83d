//! Postgres' binary `numeric` to the unscaled integer of a decimal.

use super::columns::Refusal;

const NEGATIVE: u16 = 0x4000;
const SPECIAL: u16 = 0xc000;
/// Decimal digits in one group.
const GROUP: i32 = 4;

const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut index = 1;
    while index < 39 {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

/// The value times 10^`scale`; refused when digits would be lost, when more than `precision` remain, and for NaN and
/// the infinities. The form is: number of groups, weight of the first, sign, shown scale, then groups of four digits.
#[inline]
pub fn unscaled(value: &[u8], precision: u8, scale: i8) -> Result<i128, Refusal> {
    let (head, groups) = value.split_first_chunk::<8>().ok_or(Refusal::Malformed)?;
    let count = u16::from_be_bytes([head[0], head[1]]);
    let weight = i16::from_be_bytes([head[2], head[3]]);
    let sign = u16::from_be_bytes([head[4], head[5]]);
    if groups.len() != usize::from(count) * 2 {
        return Err(Refusal::Malformed);
    }
    if sign & SPECIAL == SPECIAL {
        return Err(Refusal::DoesNotFit);
    }
    let Some((body, last)) = groups.split_last_chunk::<2>() else { return Ok(0) };
    let last = i128::from(u16::from_be_bytes(*last));
    // The power of ten that the last group stands at, in units of the result.
    let exponent = i32::from(scale) + GROUP * (i32::from(weight) - i32::from(count) + 1);
    let body = leading(body)?;
    let magnitude = if exponent >= 0 {
        let all = body.checked_mul(10_000).and_then(|body| body.checked_add(last));
        all.and_then(|all| shifted(all, exponent))
    } else if exponent > -GROUP {
        // Only the last group reaches past the scale; what of it lies there must be zeros.
        let beyond = power(-exponent).ok_or(Refusal::DoesNotFit)?;
        if last % beyond != 0 {
            return Err(Refusal::DoesNotFit);
        }
        shifted(body, GROUP + exponent).and_then(|body| body.checked_add(last / beyond))
    } else {
        None
    };
    let limit = POWERS[usize::from(precision.min(38))];
    let magnitude = magnitude.filter(|m| *m < limit).ok_or(Refusal::DoesNotFit)?;
    Ok(if sign & NEGATIVE != 0 { -magnitude } else { magnitude })
}

/// All groups but the last as one number.
#[inline]
fn leading(groups: &[u8]) -> Result<i128, Refusal> {
    let digit = |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], pair[1]]));
    if groups.len() <= 8 {
        return Ok(i128::from(groups.chunks_exact(2).fold(0u64, |sum, pair| sum * 10_000 + digit(pair))));
    }
    groups
        .chunks_exact(2)
        .try_fold(0i128, |sum, pair| sum.checked_mul(10_000)?.checked_add(i128::from(digit(pair))))
        .ok_or(Refusal::DoesNotFit)
}

#[inline]
fn shifted(number: i128, exponent: i32) -> Option<i128> {
    if number == 0 { Some(0) } else { number.checked_mul(power(exponent)?) }
}

#[inline]
fn power(exponent: i32) -> Option<i128> {
    POWERS.get(usize::try_from(exponent).ok()?).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The wire form of `groups` with the first at 10000^`weight`.
    fn wire(groups: &[u16], weight: i16, sign: u16) -> Vec<u8> {
        let mut bytes = u16::try_from(groups.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
        bytes
    }

    #[test]
    fn values_are_scaled_exactly_or_refused() {
        type Case = (&'static [u16], i16, u16, u8, i8, Option<i128>);
        let cases: [Case; 17] = [
            (&[], 0, 0, 18, 2, Some(0)),
            (&[1000], -1, 0, 18, 2, Some(10)),                                // 0.1
            (&[100], -1, NEGATIVE, 18, 2, Some(-1)),                          // -0.01
            (&[10], -1, 0, 18, 2, None),                                      // 0.001
            (&[12, 3450], 0, 0, 18, 2, None),                                 // 12.345
            (&[999, 9999, 9999, 9900], 2, 0, 18, 2, Some(9_999_999_999_999)), // 99999999999.99
            (&[1], 1, 0, 18, 2, Some(1_000_000)),                             // 10000
            (&[1], 7, 0, 38, 0, Some(10i128.pow(28))),
            (&[100], 7, 0, 38, 0, Some(10i128.pow(30))),
            (&[100], 7, 0, 38, 8, None), // 39 digits
            (&[100], 7, 0, 38, 7, Some(10i128.pow(37))),
            (&[5], -3, 0, 38, 12, Some(5)), // 5e-12
            (&[5], -3, 0, 38, 8, None),
            (&[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900], 8, 0, 38, 2, Some(10i128.pow(36) - 1)),
            (&[9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9900], 8, 0, 38, 2, Some(10i128.pow(38) - 1)),
            (&[1], 0, SPECIAL, 38, 2, None), // NaN
            (&[1], 4, 0, 18, 2, None),       // 10^16 with two decimals: 19 digits
        ];
        for (groups, weight, sign, precision, scale, expected) in cases {
            let found = unscaled(&wire(groups, weight, sign), precision, scale);
            assert_eq!(found, expected.ok_or(Refusal::DoesNotFit), "{groups:?} at {weight} as {precision},{scale}");
        }
    }

    #[test]
    fn a_wrong_length_is_malformed() {
        assert_eq!(unscaled(&[0, 1, 0], 18, 2), Err(Refusal::Malformed));
        assert_eq!(unscaled(&wire(&[1, 2], 0, 0)[..10], 18, 2), Err(Refusal::Malformed));
    }
}
