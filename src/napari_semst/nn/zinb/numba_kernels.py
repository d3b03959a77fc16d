"""The ZINB's elementwise part as one pass over memory, compiled by numba for the CPU.

Imported only where numba is wanted: importing compiles, or loads what an earlier run
compiled. Functions and constants stay in this one file, for numba's cache notices a
change of the file that holds the kernel and of no other.

Logarithms and exponentials are series of our own, because a call into the C library
would keep the compiler from working on 8 or 16 entries at once. Zeros are computed in
float32 in forms that do not cancel, the few positive values in float64, and every sum
in float64. No flag lets the compiler reorder what is computed, other than the sums.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# The clamps and addends of `napari_semst.nn.zinb.torch_kernels`, in both precisions.
_EPSILON = 1e-10
_THETA_LOW, _THETA_HIGH = 1e-4, 1e4
_MU_LOW, _MU_HIGH = 1e-5, 1e6
# exp beyond these is 0 for our purposes, or was clamped long before.
_LEAST, _MOST = -87.0, 88.0

_f32, _i32, _f64, _i64 = np.float32, np.int32, np.float64, np.int64
_ONE, _TWO, _HALF = _f32(1), _f32(2), _f32(0.5)
_LOG2E, _LN2, _LN_PI = 1.4426950408889634, 0.6931471805599453, 1.1447298858494002
# ln 2 in two parts: the first has few digits, so that n times it is exact.
_LN2_HIGH_32, _LN2_LOW_32 = _f32(0.693359375), _f32(-2.12194440054690583e-4)
_LN2_HIGH_64, _LN2_LOW_64 = 0.693147180369123816490, 1.90821492927058770002e-10
# Added and taken away again, these round to an integer and leave it in the low bits.
_ROUND_32, _ROUND_64 = _f32(12582912.0), 6755399441055744.0

_inline = njit(forceinline=True, fastmath={"contract"}, error_model="numpy")


@_inline
def _exp_parts(x):  # type: ignore[no-untyped-def]
    """Return 2^n and e^r - 1, with x = n ln 2 + r."""
    x = _f32(_LEAST) if x < _f32(_LEAST) else x
    x = _f32(_MOST) if x > _f32(_MOST) else x
    shifted = x * _f32(_LOG2E) + _ROUND_32
    n = shifted - _ROUND_32
    r = (x - n * _LN2_HIGH_32) - n * _LN2_LOW_32
    power = _i32((_f32(shifted).view(_i32) + _i32(127)) << _i32(23)).view(_f32)
    tail = _f32(1 / 720) + r * _f32(1 / 5040)
    tail = _f32(1 / 24) + r * (_f32(1 / 120) + r * tail)
    tail = r * r * (_HALF + r * (_f32(1 / 6) + r * tail))
    return power, r + tail


@_inline
def _exp(x):  # type: ignore[no-untyped-def]
    power, rest = _exp_parts(x)
    return power + power * rest


@_inline
def _log1p_parts(x):  # type: ignore[no-untyped-def]
    """Return s = x / (2 + x) and log(1 + x) - 2 s, for x in [-0.34, 1]."""
    s = x / (_TWO + x)
    z = s * s
    tail = _f32(1 / 11) + z * (_f32(1 / 13) + z * _f32(1 / 15))
    tail = _f32(1 / 5) + z * (_f32(1 / 7) + z * (_f32(1 / 9) + z * tail))
    return s, _TWO * s * z * (_f32(1 / 3) + z * tail)


@_inline
def _log(x):  # type: ignore[no-untyped-def]
    bits = _f32(x).view(_i32)
    # The exponent such that what remains is between 2/3 and 4/3.
    exponent = _i32(_i32(bits - _i32(0x3F2AAAAB)) >> _i32(23))
    mantissa = _i32(bits - _i32(exponent << _i32(23))).view(_f32)
    s, tail = _log1p_parts(mantissa - _ONE)
    n = _f32(exponent)
    # x - x: not a number stays not a number.
    return n * _LN2_HIGH_32 + ((_TWO * s + tail) + (n * _LN2_LOW_32 + (x - x)))


@_inline
def _exp64(x):  # type: ignore[no-untyped-def]
    x = _LEAST if x < _LEAST else x
    x = _MOST if x > _MOST else x
    shifted = x * _LOG2E + _ROUND_64
    n = shifted - _ROUND_64
    r = (x - n * _LN2_HIGH_64) - n * _LN2_LOW_64
    power = _i64((_f64(shifted).view(_i64) + 1023) << _i64(52)).view(_f64)
    tail = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800)))
    tail = 1 / 24 + r * (1 / 120 + r * (1 / 720 + r * tail))
    return power * (1 + r * (1 + r * (0.5 + r * (1 / 6 + r * tail))))


@_inline
def _log64(x):  # type: ignore[no-untyped-def]
    bits = _f64(x).view(_i64)
    exponent = (bits - _i64(0x3FE5555555555555)) >> _i64(52)
    mantissa = _i64(bits - (exponent << _i64(52))).view(_f64)
    # 64-bit integers become floating-point numbers without an instruction of AVX-512.
    n = _i64(exponent + _i64(0x4338000000000000)).view(_f64) - _ROUND_64
    f = mantissa - 1
    s = f / (2 + f)
    z = s * s
    tail = 1 / 11 + z * (1 / 13 + z * (1 / 15 + z * (1 / 17)))
    tail = 1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * tail)))
    return n * _LN2_HIGH_64 + (2 * s + 2 * s * z * tail + n * _LN2_LOW_64 + (x - x))


@_inline
def _shifted_product(x):  # type: ignore[no-untyped-def]
    """Return x (x + 1) ... (x + 5) and its derivative."""
    one, two, three = x * (x + 5), (x + 1) * (x + 4), (x + 2) * (x + 3)
    slope = 2 * x + 5
    return one * two * three, slope * (two * three + one * three + one * two)


@_inline
def _stirling(x, log):  # type: ignore[no-untyped-def]
    """Return log-gamma, without log(2 pi) / 2, and digamma of x >= 6, given log x."""
    inverse = 1 / x
    z = inverse * inverse
    gamma = 1 / 12 - z * (1 / 360 - z * (1 / 1260 - z * (1 / 1680 - z / 1188)))
    psi = 1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132)))
    value = (x - 0.5) * log - x + gamma * inverse
    return value, log - 0.5 * inverse - z * psi


@_inline
def _theta(raw):  # type: ignore[no-untyped-def]
    """Return clamped softplus and its slope."""
    small = _exp(-abs(raw))
    large = _ONE / (_ONE + small)
    s, tail = _log1p_parts(small)
    theta = (raw if raw > 0 else raw * _f32(0)) + (_TWO * s + tail)
    slope = large if raw >= 0 else small * large
    slope = _f32(0) if theta < _f32(_THETA_LOW) else slope
    slope = _f32(0) if theta > _f32(_THETA_HIGH) else slope
    theta = _f32(_THETA_LOW) if theta < _f32(_THETA_LOW) else theta
    theta = _f32(_THETA_HIGH) if theta > _f32(_THETA_HIGH) else theta
    return theta, slope


@_inline
def _mu(raw):  # type: ignore[no-untyped-def]
    """Return clamped exp and its slope, which is mu or 0."""
    mu = _exp(raw)
    slope = _f32(0) if mu < _f32(_MU_LOW) else mu
    slope = _f32(0) if mu > _f32(_MU_HIGH) else slope
    mu = _f32(_MU_LOW) if mu < _f32(_MU_LOW) else mu
    mu = _f32(_MU_HIGH) if mu > _f32(_MU_HIGH) else mu
    return mu, slope


@_inline
def _theta64(raw):  # type: ignore[no-untyped-def]
    """Return clamped softplus and its slope."""
    small = _exp64(-abs(raw))
    large = 1 / (1 + small)
    theta = (raw if raw > 0 else raw * 0) + _log64(1 + small)
    slope = large if raw >= 0 else small * large
    slope = 0.0 if theta < _THETA_LOW else slope
    slope = 0.0 if theta > _THETA_HIGH else slope
    theta = _THETA_LOW if theta < _THETA_LOW else theta
    theta = _THETA_HIGH if theta > _THETA_HIGH else theta
    return theta, slope


@_inline
def _mu64(raw):  # type: ignore[no-untyped-def]
    """Return clamped exp, and whether its logarithm has a slope."""
    mu = _exp64(raw)
    slope = 0.0 if mu < _MU_LOW else 1.0
    slope = 0.0 if mu > _MU_HIGH else slope
    mu = _MU_LOW if mu < _MU_LOW else mu
    mu = _MU_HIGH if mu > _MU_HIGH else mu
    return mu, slope


@_inline
def _zero_entries(logit, theta_raw, mu_raw, loss, prior):  # type: ignore[no-untyped-def]
    """Turn logits into gradients, with the loss, as though every value were 0.

    -log(pi + (1 - pi) p0) with p0 = (theta / (theta + mu))^theta.
    """
    for j in range(logit.size):
        raw = logit[j]
        small = _exp(-abs(raw))
        large = _ONE / (_ONE + small)
        small = small * large
        pi = large if raw >= 0 else small
        rest = small if raw >= 0 else large

        theta, theta_slope = _theta(theta_raw[j])
        mu, mu_slope = _mu(mu_raw[j])
        ratio = mu / theta
        share = _ONE / (_ONE + ratio)
        far = ratio > _ONE
        s, tail = _log1p_parts(_ONE if far else ratio)
        logarithm = _log(_ONE + ratio)
        odds = ratio * share
        # log(1 + ratio) less odds, near 0 without a difference of near numbers.
        gap = logarithm - odds if far else s * odds + tail
        logarithm = logarithm if far else _TWO * s + tail
        power, less = _exp_parts(-theta * logarithm)
        less = power * less
        counted = rest * (power + less)
        less = less + (power - _ONE)
        mixture = counted + (pi + _f32(_EPSILON))
        inverse = _ONE / mixture
        counted = counted * inverse
        # The digits that adding to nearly 1 has cost the mixture.
        lost = (rest * less + _f32(_EPSILON)) - (mixture - _ONE)
        lost = lost if mixture > _HALF else _f32(0)
        loss[j] = prior * pi * pi - (_log(mixture) + lost * inverse)
        logit[j] = rest * pi * (less * inverse + _TWO * prior * pi)
        theta_raw[j] = counted * gap * theta_slope
        mu_raw[j] = counted * share * mu_slope


@_inline
def _positive_entries(logit, theta_raw, mu_raw, values, prior):  # type: ignore[no-untyped-def]
    """Turn logits into gradients, and values into the loss, where values are positive.

    -log(1 - pi) - log NB(x; mu, theta), without log(x!).
    """
    for k in range(values.size):
        x = values[k]
        raw = logit[k]
        small = _exp64(-abs(raw))
        large = 1 / (1 + small)
        small = small * large
        pi = large if raw >= 0 else small
        rest = small if raw >= 0 else large

        theta, theta_slope = _theta64(theta_raw[k])
        mu, mu_slope = _mu64(mu_raw[k])
        least = theta + _EPSILON
        shifted = theta + x
        log_least = _log64(least)
        log_both = _log64(least + mu)
        log_mu = _log64(mu + _EPSILON)
        under, under_slope = _shifted_product(least)
        over, over_slope = _shifted_product(shifted)
        gamma, psi = _stirling(least + 6, _log64(least + 6))
        gamma_shifted, psi_shifted = _stirling(shifted + 6, _log64(shifted + 6))
        some = rest + _EPSILON
        nll = gamma - gamma_shifted + _log64(over / (under * some))
        nll += shifted * log_both - theta * log_least - x * log_mu
        values[k] = nll + prior * pi * pi
        # The addend inside the logarithm takes its share of the slope.
        logit[k] = pi * (rest / some + 2 * prior * pi * rest)
        slope = psi - psi_shifted - under_slope / under + over_slope / over
        slope += log_both - log_least + shifted / (least + mu) - theta / least
        theta_raw[k] = slope * theta_slope
        slope = theta * (mu - x) / (theta + mu) + x * _EPSILON / (mu + _EPSILON)
        mu_raw[k] = slope * mu_slope


@njit(forceinline=True, fastmath={"contract", "reassoc"})
def _sum(values):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in values:
        total += _f64(value)
    return total


@njit(
    "float64(float32[::1])",
    nogil=True,
    cache=True,
    fastmath={"contract", "reassoc"},
    error_model="numpy",
)
def log_factorials(values):  # type: ignore[no-untyped-def]
    """Return the sum of log-gamma(x + 1) over non-negative values."""
    total = 0.0
    for k in range(values.size):
        x = _f64(values[k]) + 1
        product, _ = _shifted_product(x)
        gamma, _ = _stirling(x + 6, _log64(x + 6))
        total += gamma - _log64(product)
    return total + values.size * 0.5 * (_LN2 + _LN_PI)


@njit(
    "void(float32[:,:,::1], int64[::1], int32[::1], float32[::1], float64, int64,"
    " int64, float64[::1])",
    nogil=True,
    cache=True,
    fastmath={"contract"},
    error_model="numpy",
)
def rows_to_gradients(raw, starts, columns, values, prior, first, last, losses):  # type: ignore[no-untyped-def]
    """Turn rows of logits into gradients in place, and note the loss of each row.

    Parameters
    ----------
    raw
        Logits of pi, theta and mu, shape ``(3, n_rows, n_genes)``; become the
        gradients in them.
    starts, columns, values
        The positive values in CSR form; positive throughout.
    prior
        Weight of the penalty ``pi^2``.
    first, last
        Rows of this call, the last one excluded.
    losses
        One per row, summed over genes, without log(x!).
    """
    n_genes = raw.shape[2]
    loss = np.empty(n_genes, _f32)
    few = np.empty((4, n_genes), _f64)
    for row in range(first, last):
        start, n_positive = starts[row], starts[row + 1] - starts[row]
        logit, theta_raw, mu_raw = raw[0, row], raw[1, row], raw[2, row]
        for k in range(n_positive):
            column = columns[start + k]
            few[0, k], few[1, k] = logit[column], theta_raw[column]
            few[2, k], few[3, k] = mu_raw[column], values[start + k]
        _zero_entries(logit, theta_raw, mu_raw, loss, _f32(prior))
        _positive_entries(
            few[0, :n_positive],
            few[1, :n_positive],
            few[2, :n_positive],
            few[3, :n_positive],
            prior,
        )
        for k in range(n_positive):
            column = columns[start + k]
            logit[column] = few[0, k]
            theta_raw[column] = few[1, k]
            mu_raw[column] = few[2, k]
            loss[column] = 0
        losses[row] = _sum(loss) + _sum(few[3, :n_positive])
