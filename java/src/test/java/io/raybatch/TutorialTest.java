package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * docs/tutorial.md quotes what stands between {@code // [name]} and {@code // [/name]} here, and a test below compares. So what
 * the tutorial shows compiles and does what it says.
 */
class TutorialTest {

    private static final RayConfig SMALL = RayConfig.builder().storeSize("64m").build();

    @Test
    void first_steps() {
        // [first]
        RayConfig config = RayConfig.builder().storeSize("64m").build();
        try (RayApi ray = RayApi.open(config)) {
            ObjectRef<String> answer;
            try (Batch request = ray.startBatch()) {
                ObjectRef<int[]> neighbours = request.put(new int[] {1, 2, 3});
                int sum = 0;
                for (int n : request.get(neighbours)) {
                    sum += n;
                }
                answer = request.put("the sum is " + sum);
                request.keep(answer); // survives the request
            } // neighbours are gone, all at once
            assertThat(ray.get(answer)).isEqualTo("the sum is 6");
        }
        // [/first]
    }

    @Test
    void batches_within_batches() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [nested]
            try (Batch job = ray.startBatch(BatchOptions.named("job"))) {
                ObjectRef<String> input = job.put("input");
                ObjectRef<String> result;
                try (Batch step = ray.startBatch(BatchOptions.named("step"))) { // in job, which is current
                    result = step.put(ray.get(input).toUpperCase());
                    step.keep(result); // now job's
                }
                assertThat(ray.currentBatch()).isEqualTo(job.id());
                assertThat(ray.get(result)).isEqualTo("INPUT");
            } // result goes with the job
            // [/nested]
            assertThat(ray.stats().live()).isZero();
        }
    }

    @Test
    void batches_by_id() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [byId]
            long jobId = 42;
            ray.startBatch(jobId); // held by its id until it is ended, from any thread
            ObjectRef<String> temporary = ray.put("temporary"); // in batch 42, which is current
            ray.endBatch(jobId); // no new work; the objects can still be read
            assertThat(ray.get(temporary)).isEqualTo("temporary");
            GcResult freed = ray.gc(jobId);
            assertThat(freed.objects()).isEqualTo(1);
            assertThatThrownBy(() -> ray.get(temporary))
                    .isInstanceOf(ObjectCollectedException.class)
                    .hasMessageContaining("batch 42");
            // [/byId]
        }
    }

    @Test
    void limits() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [limits]
            BatchOptions options = BatchOptions.builder()
                    .name("request")
                    .maxBytes(1 << 20)
                    .timeout(Duration.ofSeconds(10))
                    .build();
            try (Batch request = ray.startBatch(options)) {
                assertThatThrownBy(() -> request.put(new byte[2 << 20]))
                        .isInstanceOf(BatchLimitException.class)
                        .hasMessageContaining("request");
            }
            // [/limits]
        }
    }

    static int add(int a, int b) {
        return a + b;
    }

    static int takesLong() throws InterruptedException {
        Thread.sleep(60_000);
        return 1;
    }

    @Test
    void deadlines_and_failures() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [deadline]
            BatchOptions soon = BatchOptions.builder().timeout(Duration.ofMillis(500)).onFailure(OnFailure.CANCEL).build();
            try (Batch request = ray.startBatch(soon)) {
                ObjectRef<Integer> late = request.task(TutorialTest::takesLong).remote();
                assertThatThrownBy(() -> ray.get(late)).isInstanceOf(BatchTimedOutException.class); // as any other call from then on
                assertThatThrownBy(() -> ray.put("more")).isInstanceOf(BatchTimedOutException.class);
            }
            try (Batch request = ray.startBatch(BatchOptions.builder().onFailure(OnFailure.CANCEL).build())) {
                ObjectRef<Integer> sum = request.task(TutorialTest::add, 1, 2).remote();
                assertThat(ray.get(sum)).isEqualTo(3);
                request.end(); // the body succeeded: without this, close() cancels the tasks that are not over
            }
            // [/deadline]
        }
    }

    @Test
    void groups() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [groups]
            ResourceGroup user = ray.group("user-a").maxBytes(1 << 20); // for all of the user's batches together
            ResourceGroup job = user.group("job-7").maxTasks(2).maxPriority(5);
            try (Batch request = ray.startBatch(BatchOptions.builder().name("request").group(job).build())) {
                request.put(new byte[100]);
                assertThatThrownBy(() -> request.put(new byte[2 << 20]))
                        .isInstanceOf(BatchLimitException.class)
                        .hasMessageContaining("group 'user-a': 100 of 1048576 bytes");
                user.maxBytes(4 << 20); // from now on
                request.put(new byte[2 << 20]);
                assertThat(user.usage().objects()).isEqualTo(2);
            }
            // [/groups]
        }
    }

    @Test
    void writing_in_place() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [write]
            try (Batch batch = ray.startBatch()) {
                ObjectRef<byte[]> ref;
                try (ObjectWriter writer = batch.create(16)) {
                    writer.putLong(0, 7);
                    writer.putDouble(8, 0.5);
                    ref = writer.seal(); // visible from here on, and immutable
                }
                try (ObjectView view = ray.read(ref)) { // no copy
                    assertThat(view.getLong(0)).isEqualTo(7);
                    ByteBuffer buffer = view.asByteBuffer(); // stays valid after the view is closed
                    assertThat(buffer.isReadOnly()).isTrue();
                }
            }
            // [/write]
        }
    }

    @Test
    void small_objects() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [slots]
            try (Batch batch = ray.startBatch()) {
                ObjectSlots slots = batch.slots();
                byte[] features = new byte[64];
                long[] slot = new long[100_000];
                for (int i = 0; i < slot.length; i++) {
                    features[0] = (byte) i;
                    slot[i] = slots.put(features, 0, features.length); // nothing is allocated on the heap
                }
                assertThat(slots.get(slot[77], features, 0, features.length)).isEqualTo(64);
                assertThat(features[0]).isEqualTo((byte) 77);

                byte[] rows = new byte[64 * 256];
                slots.putAll(rows, 0, 64, 256, slot, 0); // 256 objects of 64 bytes, with one copy
                int objects = 0;
                for (SlotCursor all = slots.cursor(); all.next(); objects++) {
                    all.get(features, 0);
                }
                assertThat(objects).isEqualTo(100_256);
            }
            // [/slots]
        }
    }

    @Test
    void waiting() throws Exception {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [wait]
            ExecutorService pool = Executors.newSingleThreadExecutor();
            try (Batch batch = ray.startBatch()) {
                ObjectWriter writer = batch.create(8);
                Future<byte[]> reader = pool.submit(() -> ray.get(writer.ref())); // waits
                writer.putLong(0, 1);
                writer.seal();
                assertThat(reader.get()).hasSize(8);

                Future<Long> current = pool.submit(batch.wrap(() -> ray.currentBatch()));
                assertThat(current.get()).isEqualTo(batch.id()); // taken along by wrap, and only by that
            } finally {
                pool.shutdown();
            }
            // [/wait]
        }
    }

    @Test
    void normal_mode() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [normal]
            ObjectRef<String> cached = ray.put("no batch is current: normal mode");
            assertThat(cached.batchId()).isZero();
            ray.evict(1); // as when memory is short: least recently used first
            assertThatThrownBy(() -> ray.get(cached)).isInstanceOf(ObjectLostException.class);
            // [/normal]
        }
    }

    static String load(String what) {
        return what;
    }

    static int length(String text) {
        return text.length();
    }

    static int sum(List<Integer> xs) {
        return xs.stream().mapToInt(Integer::intValue).sum();
    }

    static String text(Object o) {
        return "text of " + o;
    }

    static int twice(int n) {
        return 2 * n;
    }

    static int thinkForEver() throws InterruptedException {
        Thread.sleep(Long.MAX_VALUE);
        return 0;
    }

    static final class Counter implements Checkpointable<Integer> {
        private int count;

        int incAndGet() {
            return ++count;
        }

        @Override
        public Integer save() {
            return count;
        }

        @Override
        public void restore(Integer saved) {
            count = saved;
        }
    }

    @Test
    void fan_in() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [lists]
            List<ObjectRef<Integer>> parts = new ArrayList<>();
            for (String word : List.of("one", "two", "three")) {
                parts.add(ray.task(TutorialTest::length, word).remote());
            }
            ObjectRef<Integer> total = ray.task(TutorialTest::sum, parts).remote();  // waits for all three
            assertThat(ray.get(total)).isEqualTo(11);

            ObjectRef<String> text = ray.task((Integer n) -> TutorialTest.text(n), total).remote();
            assertThat(ray.get(text)).isEqualTo("text of 11");                       // text takes an Object
            // [/lists]
        }
    }

    @Test
    void tasks_of_a_batch() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [tasks]
            ObjectRef<String> x = ray.task(TutorialTest::load, "words").remote();
            ObjectRef<Integer> z;
            try (Batch batch = ray.startBatch()) {
                ObjectRef<Integer> y = ray.task(TutorialTest::length, x).remote();   // waits for x
                z = ray.task(TutorialTest::twice, y).retries(3).remote();
                batch.keep(z);                                                       // legal before it is there
            }                                                                        // waits for its tasks; y is gone
            assertThat(ray.get(z)).isEqualTo(10);
            // [/tasks]
            // [failures]
            ObjectRef<Integer> bad = ray.task(TutorialTest::length, (String) null).remote();
            ObjectRef<Integer> dependent = ray.task(TutorialTest::twice, bad).remote();
            assertThatThrownBy(() -> ray.get(dependent))
                    .isInstanceOf(TaskException.class)
                    .hasCauseInstanceOf(NullPointerException.class);

            try (Batch request = ray.startBatch(BatchOptions.builder().name("request").timeout(Duration.ofSeconds(30)).build())) {
                ObjectRef<Integer> answer = ray.task(TutorialTest::thinkForEver).remote();
                ray.cancel(request);                                                 // as its timeout would
                assertThatThrownBy(() -> ray.get(answer)).isInstanceOf(RayException.class);
            }
            // [/failures]
        }
    }

    @Test
    void actors() {
        try (RayApi ray = RayApi.open(SMALL)) {
            // [actors]
            ActorHandle<Counter> counter = ray.actor(Counter::new).name("hits").remote();
            try (Batch request = ray.startBatch()) {
                counter.task(Counter::incAndGet).batch(request).remote();
                assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(2); // one at a time, in order
            }
            ray.checkpoint(counter).get();       // so that nothing of that batch need be kept in mind
            ray.kill(counter);                   // or its thread was lost: the next task rebuilds it
            assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(3);
            // [/actors]
        }
    }

    @Test
    void the_tutorial_quotes_this_file() throws IOException {
        Map<String, String> regions = new LinkedHashMap<>();
        String source = Files.readString(StoreTest.project().resolve("java/src/test/java/io/raybatch/TutorialTest.java"));
        Matcher region = Pattern.compile("(?ms)^( *)// \\[(\\w+)]\n(.*?)^ *// \\[/\\2]").matcher(source);
        while (region.find()) {
            regions.put(region.group(2), region.group(3).replaceAll("(?m)^" + region.group(1), ""));
        }
        String tutorial = Files.readString(StoreTest.project().resolve("docs/tutorial.md"));
        Matcher quote = Pattern.compile("(?ms)^<!-- (\\w+) -->\n```java\n(.*?)^```").matcher(tutorial);
        List<String> quoted = new ArrayList<>();
        while (quote.find()) {
            quoted.add(quote.group(1));
            assertThat(quote.group(2)).as("the snippet %s", quote.group(1)).isEqualTo(regions.get(quote.group(1)));
        }
        assertThat(quoted).containsExactlyInAnyOrderElementsOf(regions.keySet()).hasSizeGreaterThan(5);
        assertThat(tutorial.split("```java", -1)).as("every snippet is a quote").hasSize(quoted.size() + 1);
    }
}
