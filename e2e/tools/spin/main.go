// SPDX-License-Identifier: Apache-2.0

// A Go service of the cluster's tests: it prices for three quarters of its time, and looks rates up in the rest.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

var sum uint64

//go:noinline
func work(rounds int) {
	x := sum | 1
	for i := 0; i < rounds; i++ {
		x = x*6364136223846793005 + 1442695040888963407
		x ^= x >> 29
	}
	sum = x
}

//go:noinline
func priceBasket() { work(3_000_000); sum++ }

//go:noinline
func lookUpRates() { work(1_000_000); sum++ }

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	for {
		select {
		case <-stop:
			return
		default:
			priceBasket()
			lookUpRates()
		}
	}
}
