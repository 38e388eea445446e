/* The same on a device: cc -o normalise device/normalise.c -lm && ./normalise */
#include <math.h>
#include <stdio.h>

#include "gains.h"

static double relu(double x) {
    return (fmax(x, 0.0) + NORM_RELU_OFFSET) * NORM_RELU_GAIN;
}

static double gelu(double x) {
    return (0.5 * x * (1.0 + erf(x / sqrt(2.0))) + NORM_GELU_OFFSET) * NORM_GELU_GAIN;
}

int main(void) {
    printf("relu %.17g\ngelu %.17g\n", relu(1.0), gelu(1.0));
    return 0;
}
