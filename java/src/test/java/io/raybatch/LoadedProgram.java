package io.raybatch;

import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.function.Function;
import jdk.jfr.Recording;

/**
 * A program that uses most of raybatch, for tests that load it by a class loader of its own, in a package of another name or in a
 * process of its own: it needs nothing but raybatch and what that needs.
 */
public final class LoadedProgram implements Function<ExecutorService, String> {

    /** By reflection. */
    public LoadedProgram() {}

    /** A value that is serialized. */
    public record Order(String name, List<Integer> items, ObjectRef<String> more) implements Serializable {}

    /** An actor. */
    public static final class Counter {
        private int sum;

        int add(int n) {
            return sum += n;
        }
    }

    /** Uses it on a thread that goes on afterwards, too. */
    @Override
    public String apply(ExecutorService pool) {
        try (Recording recording = new Recording()) {
            recording.enable("raybatch.BatchStart");
            recording.start();
            String result;
            try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
                result = use(ray) + " " + pool.submit((Callable<String>) () -> use(ray)).get();
                // forgotten in a thread that goes on
                pool.submit(() -> {
                    ray.startBatch();
                    ray.startBatch(7);
                }).get();
            }
            recording.stop();
            Path file = Files.createTempFile("raybatch-test", ".jfr");
            try {
                recording.dump(file);
            } finally {
                Files.delete(file);
            }
            return result;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static String use(RayApi ray) throws Exception {
        try (Batch b = ray.startBatch()) {
            ObjectRef<String> text = b.put("text");
            Order order = b.put(new Order("order", List.of(1, 2), text)).get();
            byte[] bytes = b.put(new byte[] {7}).get();
            int sum = b.task((Integer x) -> x + 1, 41).remote().get();
            ActorHandle<Counter> actor = b.actor(Counter::new).remote();
            actor.task((Counter c) -> c.add(3)).remote().get();
            int counted = actor.task((Counter c) -> c.add(4)).remote().stage().toCompletableFuture().get();
            try (ObjectView view = ray.read(text)) {
                view.asByteBuffer().get(0);
            }
            String failed;
            try {
                b.task(LoadedProgram::fails).remote().get();
                failed = "nothing";
            } catch (TaskException e) {
                failed = e.getCause().getClass().getSimpleName();
            }
            return order.name() + order.items() + order.more().get() + bytes[0] + sum + counted + failed;
        }
    }

    private static int fails() {
        throw new UnsupportedOperationException("as it should");
    }

    /** In a process of its own. */
    public static void main(String[] arguments) {
        ExecutorService pool = java.util.concurrent.Executors.newSingleThreadExecutor();
        System.out.println(new LoadedProgram().apply(pool));
        pool.shutdown();
    }
}
