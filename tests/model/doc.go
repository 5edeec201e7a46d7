// Package model checks the bridge's protocol with spin: four models in Promela, each
// searched to its end, and the mutants of each, which leave out one guard and must fail.
// README.md says what each model covers.
package model
