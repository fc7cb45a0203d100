// Package bench races ferry against other Go libraries that do the same job.
//
// It holds tests and benchmarks only, in a module of its own outside go.work, so that what is raced
// against reaches no importer of ferry. README.md says how to run them.
package bench
