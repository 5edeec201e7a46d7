// Package pythons has the interpreters that tests run on: virtual environments with the
// examples' requirements, made by scripts/setup.
package pythons
