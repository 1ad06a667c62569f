// SPDX-License-Identifier: Apache-2.0

// informer keeps all pods and nodes of a cluster with client-go's shared informers, as a controller in Go
// does, and tells on standard output: {"synced": {...}} once, then {"changed": "NAMESPACE/NAME"} for each change of a pod.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const probe = 100 * time.Millisecond

// How late a 100 ms timer is at most: what the controller calls loop lag.
func watchLag(most *atomic.Int64) {
	for {
		began := time.Now()
		time.Sleep(probe)
		if late := int64(time.Since(began) - probe); late > most.Load() {
			most.Store(late)
		}
	}
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "")
	contentType := flag.String("content-type", "", "empty: what client-go prefers")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.ContentType = *contentType
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	var lag atomic.Int64
	go watchLag(&lag)
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	nodes := factory.Core().V1().Nodes().Informer()
	var synced atomic.Bool
	out := bufio.NewWriter(os.Stdout)
	changed := func(_, object any) {
		if pod, ok := object.(*corev1.Pod); ok && synced.Load() {
			fmt.Fprintf(out, "{\"changed\": \"%s/%s\"}\n", pod.Namespace, pod.Name)
			out.Flush()
		}
	}
	handlers, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: changed})
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(stop, pods.HasSynced, nodes.HasSynced, handlers.HasSynced) {
		log.Fatal("not synced")
	}
	fmt.Fprintf(out, "{\"synced\": {\"pods\": %d, \"nodes\": %d, \"lag_max_ms\": %.3f}}\n",
		len(pods.GetStore().ListKeys()), len(nodes.GetStore().ListKeys()), float64(lag.Load())/1e6)
	out.Flush()
	synced.Store(true)
	<-stop
}
