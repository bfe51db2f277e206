/** For users' tests: {@link io.raybatch.junit.LeakDetectionExtension}. */
package io.raybatch.junit;
