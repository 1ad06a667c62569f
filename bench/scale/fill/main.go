// SPDX-License-Identifier: Apache-2.0

// fill puts the objects of a large cluster into an etcd that no API server uses yet, as the API server would
// store them: in protobuf, which it reads ten times as fast as JSON.  What is written depends on the arguments only.
// It prints the bytes of a pod as JSON.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

//go:embed pod.json
var podJSON []byte

//go:embed node.json
var nodeJSON []byte

//go:embed namespace.json
var namespaceJSON []byte

const (
	writers   = 8
	batchPuts = 100 // below etcd's limits of 128 operations and 1.5 MiB
)

var stored = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

type put struct{ key, text string }

// As it is stored; `object` is an empty one of its kind.
func (p put) value(object runtime.Object) string {
	if err := json.Unmarshal([]byte(p.text), object); err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if err := stored.Encode(object, &out); err != nil {
		log.Fatal(err)
	}
	return out.String()
}

func compact(text []byte) string {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		log.Fatal(err)
	}
	return out.String()
}

func sum(what string, i int) string {
	hash := sha256.Sum256([]byte(fmt.Sprintf("%s %d", what, i)))
	return hex.EncodeToString(hash[:])
}

func uid(what string, i int) string {
	s := sum(what, i)
	return s[:8] + "-" + s[8:12] + "-4" + s[13:16] + "-8" + s[17:20] + "-" + s[20:32]
}

func address(first, i int) string {
	return fmt.Sprintf("%d.%d.%d.%d", first, i>>16&255, i>>8&255, i&255)
}

func namespaceName(i int) string { return fmt.Sprintf("team-%03d", i) }
func nodeName(i int) string      { return fmt.Sprintf("node-%04d.eu-1.example.com", i) }

func namespace(template string, i int) put {
	name := namespaceName(i)
	return put{"/registry/namespaces/" + name,
		strings.NewReplacer("$NAME", name, "$UID", uid("namespace", i)).Replace(template)}
}

func node(template string, i int) put {
	name := nodeName(i)
	return put{"/registry/minions/" + name,
		strings.NewReplacer("$NAME", name, "$UID", uid("node", i), "$HOSTIP", address(10, i)).Replace(template)}
}

// Pods of one application stand next to each other and on different nodes, ten of them each.
func pod(template string, i, namespaces, nodes int) put {
	app := i / 10
	ns := namespaceName(app % namespaces)
	name := fmt.Sprintf("service-%04d", app/namespaces)
	hash := sum("app", app)[:10]
	full := name + "-" + hash + "-" + sum("pod name", i)[:5]
	replace := strings.NewReplacer("$NAMESPACE", ns, "$NAME", full, "$APP", name, "$HASH", hash,
		"$UIDSUM", sum("config", app), "$UID", uid("pod", i), "$OWNER", uid("app", app),
		"$NODE", nodeName(i%nodes), "$HOSTIP", address(10, i%nodes), "$IP", address(100, i),
		"$CID1", sum("app container", i), "$CID2", sum("proxy container", i))
	return put{"/registry/pods/" + ns + "/" + full, replace.Replace(template)}
}

func store(client *clientv3.Client, ops []clientv3.Op) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := client.Txn(ctx).Then(ops...).Commit(); err != nil {
		log.Fatal(err)
	}
}

// Write make(i) for 0 <= i < nr, by all writers together; `empty` makes an object of their kind.
func fill(client *clientv3.Client, nr int, empty func() runtime.Object, make func(i int) put) {
	var wait sync.WaitGroup
	for w := 0; w < writers; w++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for first := w * batchPuts; first < nr; first += writers * batchPuts {
				var ops []clientv3.Op
				for i := first; i < min(first+batchPuts, nr); i++ {
					p := make(i)
					ops = append(ops, clientv3.OpPut(p.key, p.value(empty())))
				}
				store(client, ops)
			}
		}()
	}
	wait.Wait()
}

func main() {
	endpoint := flag.String("etcd", "", "its client URL")
	pods := flag.Int("pods", 150000, "")
	nodes := flag.Int("nodes", 5000, "")
	namespaces := flag.Int("namespaces", 500, "")
	flag.Parse()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*endpoint}, DialTimeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	podText, nodeText, namespaceText := compact(podJSON), compact(nodeJSON), compact(namespaceJSON)
	fill(client, *namespaces, func() runtime.Object { return &corev1.Namespace{} },
		func(i int) put { return namespace(namespaceText, i) })
	fill(client, *nodes, func() runtime.Object { return &corev1.Node{} },
		func(i int) put { return node(nodeText, i) })
	fill(client, *pods, func() runtime.Object { return &corev1.Pod{} },
		func(i int) put { return pod(podText, i, *namespaces, *nodes) })
	fmt.Println(len(pod(podText, 0, *namespaces, *nodes).text))
}
