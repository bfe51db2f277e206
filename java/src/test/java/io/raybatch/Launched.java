package io.raybatch;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Programs that tests start in processes of their own. */
final class Launched {

    private Launched() {}

    private static RayApi open() {
        return RayApi.open(RayConfig.builder().storeSize("64m").build());
    }

    /** Opens, logs something, puts, gets, closes. */
    static final class Opens {
        public static void main(String[] arguments) {
            try (RayApi ray = open()) {
                RayLog.warn("logged", null);
                System.out.println("opened " + ray.put(List.of(1)).get());
            }
        }
    }

    /** Opens again and again: where the first argument cannot be used, where it could be used now, and in the second. */
    static final class OpensAgain {
        public static void main(String[] arguments) throws Exception {
            Path obstacle = Path.of(arguments[0]);
            for (int n = 0; n < 2; n++) {
                try (RayApi ray = open()) {
                    System.out.println("unexpected " + ray);
                } catch (NativeLibraryException e) {
                    System.out.println("failed " + e.getMessage());
                }
                // the second time it would work, if it was tried
                Files.deleteIfExists(obstacle);
            }
            System.setProperty("raybatch.tmpdir", arguments[1]);
            Opens.main(arguments);
        }
    }

    /** Uses {@link Ray} without {@code init}, which opens a store as the system properties say. */
    static final class UsesRay {
        public static void main(String[] arguments) {
            System.out.println("value " + Ray.put(List.of(1)).get() + " of " + Ray.stats().capacity());
            Ray.shutdown();
        }
    }

    /** Has files of all kinds, and goes on until it is killed. */
    static final class Holds {
        public static void main(String[] arguments) throws Exception {
            RayApi ray = RayApi.open(RayConfig.builder()
                    .storeSize("16m")
                    .storePath(Path.of(arguments[0]))
                    .spillDirectory(Path.of(arguments[1]))
                    .build());
            Batch batch = ray.startBatch();
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                refs.add(batch.put(new byte[1 << 20]));
            }
            System.out.println("ready " + ray.internal().spill() + refs.size() + batch);
            Thread.sleep(600_000);
        }
    }

    /** Tasks that wait for tasks, more than there can be threads. */
    static final class Nests {
        private static RayApi ray;

        private static int depth(int n) {
            return n == 0 ? 0 : 1 + ray.task(Nests::depth, n - 1).remote().get();
        }

        public static void main(String[] arguments) throws Exception {
            ray = RayApi.open(RayConfig.builder().storeSize("64m").build());
            try {
                System.out.println("unexpected " + depth(Integer.parseInt(arguments[0])));
            } catch (TaskException e) {
                Throwable first = e;
                while (first.getCause() != null) {
                    first = first.getCause();
                }
                System.out.println("failed with " + first.getClass().getSimpleName() + ": " + first.getMessage());
            }
            // and goes on: there are threads again
            System.out.println("then " + depth(3));
            Thread.sleep(600_000);
        }
    }
}
