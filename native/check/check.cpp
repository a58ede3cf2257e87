// Self-test of the kernels, without Python.
#include "check/checks.h"

int main() { return gemma4::check::run(); }
